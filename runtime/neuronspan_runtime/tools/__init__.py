"""What the command-line tools know of the machine; each tool has a folder of its own.

Law: no torch, no core is claimed: reads locks and pages of others, and changes nothing.
"""
