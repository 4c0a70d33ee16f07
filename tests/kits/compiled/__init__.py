"""Models that are compiled in a special way: cut into stages, or writing in place."""
