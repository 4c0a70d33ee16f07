"""The shared domain of neuronspan: NeuronCore spans, grants, the ledger and placement.

Law: values and pure functions only; standard library only, no I/O, no clock, no randomness.
"""
