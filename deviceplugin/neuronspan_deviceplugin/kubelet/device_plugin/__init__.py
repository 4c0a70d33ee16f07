"""Kubelet's device plugin API: a server per resource, its registration, and the veto before a container starts.

Law: protobuf stays in here; a refusal is the status that kubelet shows, with the reason in words.
Door: ``endpoint``.
"""
