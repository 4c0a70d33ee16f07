"""The plugin's process on one node: its memory at rest, its modules, and how long it takes until kubelet knows it.

Law: the process is the real one, before a model kubelet and an API server over TLS; nothing of it is replaced.
"""
