"""The API server in tests: the real one, a fake one with its rules, and what stands between it and a client."""
