"""The API server, mirrored: a cache of each kind, what was written laid over it, and the Lease of the leader.

Law: a reader never sees an object older than what this process wrote. Nothing about cores is decided here.
Doors: ``world``, ``elector``.
"""
