"""``neuron-top``: what the cores do, live in a terminal.

Law: a frame is a function of samples; the terminal is touched in ``command`` alone.
"""
