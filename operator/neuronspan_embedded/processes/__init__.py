"""The containers of a node's pods as processes of this machine, and the node that they are on.

Law: no namespaces, no images, no root. What a container cannot have here is said in the pod's status or in a note,
never left out in silence.
"""
