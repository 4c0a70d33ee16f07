"""The machine's side: CDI files, lock files, the plugin's record, the node's directory, control groups, devices' files.

Law: reads and writes files and decides nothing; what cannot be read is said to be unknown, never taken for empty.
Door: ``cdi``.
"""
