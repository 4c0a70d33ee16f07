"""What a release consists of, made from one commit: images, chart, requirements, bills of materials, provenance.

Law: the same commit and the same locked inputs give the same bytes; every time in a release is the commit's.
"""
