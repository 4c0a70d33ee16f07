"""Which NeuronCores this process may use, and the locks and memory ledgers that make them its own.

Law: no torch. A core belongs to one process at a time, by a kernel lock that ends with the process.
Door: ``ownership``.
"""
