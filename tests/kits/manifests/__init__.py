"""Kubernetes objects for tests: manifests, views and snapshots of them, domain values."""
