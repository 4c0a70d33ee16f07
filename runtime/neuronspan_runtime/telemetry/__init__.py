"""What a process tells others of its cores, in sealed memory: layout, where it is, and who is alive.

Law: no torch. One writer a page, any number of readers; a reader survives everything that it finds.
"""
