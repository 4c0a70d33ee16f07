"""Which parts of a graph a core runs, and which stay on the host.

Law: decides on operators and shapes; the cut itself is made once, in ``program``.
"""
