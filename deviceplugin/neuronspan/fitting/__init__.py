"""Where requests go among the cores that are free on one node, and why they do not fit.

Law: an answer depends on the hardware, the cores that are taken, the requests and the packing, and on nothing else.
"""
