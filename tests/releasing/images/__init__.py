"""The images of a release, for every architecture: Debian packages, wheels and our sources, put together as files.

Law: nothing of another architecture is run; what an image is made of was named by its hash in the commit.
"""
