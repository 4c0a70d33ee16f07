"""What is true of Kubernetes objects wherever they are stored: kinds, selectors, patches, defaults, schemas.

Law: pure; values in, values or a Refusal out.
"""
