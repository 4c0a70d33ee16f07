"""A whole cluster in one process, without root or containers: what `neuronspan try` runs on.

Law: imports everything of ours and is imported by nothing of it; what it has beside the real components does nothing
that a real cluster would not do, and says what it leaves out.
"""
