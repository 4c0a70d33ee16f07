"""The documentation in tests."""
