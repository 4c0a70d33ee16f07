"""An API server in this process, on a port of the loopback interface.

Law: answers as kube-apiserver answers, as far as it goes, and refuses in words what goes beyond that. `rules` are
pure; `store` and what stands on it are without I/O; only `server` and `watching` wait for anything.
"""
