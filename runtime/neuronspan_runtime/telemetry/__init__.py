"""What a process tells others of its cores, in shared memory: layout, files, and who is alive.

Law: no torch. One writer a page, any number of readers; a reader survives everything that it finds.
"""
