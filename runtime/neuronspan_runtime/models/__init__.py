"""Compiled models in a process: which cores they are placed on, their replicas, their weights.

Law: a model is on whole cores of this process, all of it or none; the memory is charged before it is used.
Doors: ``comparison``, ``data_parallel``, ``placing``.
"""
