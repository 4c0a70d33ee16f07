"""The C++ library for the torch that is installed: found, or compiled once, and kept while it is used.

Law: torch is asked for its version only; a library is never changed once it has its name.
"""
