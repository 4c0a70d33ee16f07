"""``kubectl neuron``: what people ask of a cluster from outside of it.

Law: reads and draws; writes nothing, and decides only what the planner, asked the same question, decides.
"""
