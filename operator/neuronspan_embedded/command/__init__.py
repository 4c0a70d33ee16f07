"""`neuronspan try`: a cluster for as long as the command runs, and what it shows of it.

Law: shows and compares; what happens is decided by the components.
"""
