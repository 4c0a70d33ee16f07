"""Admission over HTTPS, where the API server has no policies that change requests.

Law: it answers with what ``admission`` decides, in every replica, and knows nothing of nodes, grants or plans.
Certificates are decided on as values, made in ``issuing`` (the door to cryptography), and served when they are trusted.
Doors: ``server``, ``handshakes``, ``issuing``.
"""
