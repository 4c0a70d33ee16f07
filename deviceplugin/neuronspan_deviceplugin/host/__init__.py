"""The machine's side: CDI files, lock files, the plugin's own record, the node's directory, control groups,
the files of devices.

Law: reads and writes files and decides nothing; what cannot be read is said to be unknown, never taken for empty.
Door: ``cdi``.
"""
