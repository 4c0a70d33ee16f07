"""The embedded cluster in tests: over HTTP beside the real API server, or by its calls alone."""
