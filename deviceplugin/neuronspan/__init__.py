"""The shared domain of neuronspan: NeuronCore spans, grants, the ledger and placement.

Law: values and pure functions only; standard library only, no I/O, no clock, no randomness.
"""

__version__ = "0.1.0"
"""The version of everything here: chart, images, packages. Tests compare what has to repeat it."""
