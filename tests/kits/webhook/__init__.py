"""The webhook in tests: replicas of it beside a real API server."""
