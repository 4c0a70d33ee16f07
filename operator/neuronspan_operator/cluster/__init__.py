"""The API server, mirrored: one door for calls, four caches, and the Lease of the leader.

Law: a reader never sees an object older than what this process wrote. Nothing about cores is decided here.
Doors: ``world``, ``elector``.
"""
