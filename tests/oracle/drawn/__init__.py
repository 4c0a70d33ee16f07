"""Small clusters, and pods to be judged in them, at random.

Law: plain manifests that the API server takes, repeatable from a seed; nothing here knows either scheduler.
"""
