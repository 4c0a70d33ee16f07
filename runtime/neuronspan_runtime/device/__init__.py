"""The torch device named ``neuron``: what torch asks of a device module, and the session behind it.

Law: the first use claims the cores, once; nothing before that touches a core.
Doors: ``backend``, ``session``.
"""
