"""The real kube-scheduler beside ours on random small clusters: which node may a pod be on?

Law: what is made is plain manifests, repeatable from a seed; both sides judge what the API server made of them.
"""
