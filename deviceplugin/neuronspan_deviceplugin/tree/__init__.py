"""Neuron's interface to software as a tree of files: what the kernel driver shows of a node's devices, made and read.

Law: pure; a tree is a mapping of paths to text. Where the driver puts what stands in ``layout`` and nowhere else.
"""
