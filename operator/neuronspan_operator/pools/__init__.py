"""NeuronPools: which nodes are Neuron nodes, with which hardware, and what kopf is told of it.

Law: creates and ends NeuronNodes and writes the pools' status; it never touches a grant. kopf is imported here alone.
"""
