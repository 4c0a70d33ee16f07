"""Other people's programs on a tree of ours: a machine that shows the tree, and what the programs say.

Law: what they say is parsed here, and judged by nobody but the tests; no path of ours is given to any of them.
"""
