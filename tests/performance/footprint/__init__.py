"""The operator's process in large clusters: its memory, and its CPU time per event. Nothing of it is replaced.

Law: what it talks to is a stand-in for the API server, in a process of its own, that makes objects when asked.
"""
