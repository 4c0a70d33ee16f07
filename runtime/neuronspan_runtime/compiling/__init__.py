"""From a module and its example to a TorchScript file that carries the compiled model.

Law: owns no core and runs no model, except to trace it.
Doors: ``trace_api``, ``analysis``.
"""
