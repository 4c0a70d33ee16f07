"""``neuron-ls``: the devices of the machine and who uses them.

Law: AWS's flags, columns and JSON keys.
"""
