"""Which node a pod gets.

Law: an answer is the one that a look at all nodes would give; what is kept is renewed where the journal says so.
Door: ``node_choice``.
"""
