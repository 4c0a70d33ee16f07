"""What a pod or a volume says about the nodes it may be on, as values that are compared with nodes and other pods.

Law: pure, manifests in, values out. A constraint that makes no sense is a value that matches nothing, never an
exception.
"""
