"""Everything that is asked of kubelet or answered to it; another interface of kubelet's gets a folder here.

Law: gRPC is imported below here alone; what is answered was decided in ``allocation``.
Door: ``probe``.
"""
