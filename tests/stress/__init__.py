"""A run of many processes and threads that are killed at random, and the judge of what they wrote down."""
