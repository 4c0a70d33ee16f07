"""Checks of the C++ library that need a compiler: every supported torch, warnings, sanitizers."""
