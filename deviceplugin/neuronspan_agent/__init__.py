"""What operator and device plugin have in common as processes: settings, log, pages, and the way to the API server.

Law: knows Kubernetes and the machine, but nothing of what an agent decides; each module stands for itself.
Doors: ``pem_files``.
"""
