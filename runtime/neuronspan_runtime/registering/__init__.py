"""What torch and programs find of this package by a name: the device, AWS's functions, a compiler, a process group.

Law: torch is told here, once per process; what it is told of lies below.
Doors: ``autoload``, ``compile_backend``, ``registration``.
"""
