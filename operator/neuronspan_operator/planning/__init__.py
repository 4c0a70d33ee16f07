"""The planner: from what is known of the cluster to everything that has to be done now.

Law: pure, the whole folder: no I/O, no clock, no randomness. Equal snapshots give equal plans.
"""
