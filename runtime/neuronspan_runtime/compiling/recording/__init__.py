"""From a module and its example to a graph that computes what the module does, and does nothing else.

Law: the module, its example and its variables are afterwards what they were; the graph writes nothing but states.
Doors: ``borrowing``, ``recorder``, ``unused``.
"""
