"""The real kube-scheduler beside ours on random small clusters: which node may a pod be on?

Law: both sides judge what the API server made of the same manifests.
"""
