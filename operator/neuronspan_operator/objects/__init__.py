"""Kubernetes objects as values: what a manifest says to the operator, and the patches that change it.

Law: pure, the whole folder: manifests in, values out, and back. A manifest that makes no sense is a value too.
"""
