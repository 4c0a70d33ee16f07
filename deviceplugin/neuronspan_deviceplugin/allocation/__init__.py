"""Which devices a container gets, who holds what, and whether a start is right.

Law: no gRPC and no files: values in, decisions out, so that any interface of kubelet's can ask.
"""
