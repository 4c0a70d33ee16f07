"""A node's kubelet: device manager, checkpoint and PodResources, over real gRPC on real sockets.

Law: decides what kubelet decides, in kubelet's order; it knows no API server and starts no process.
"""
