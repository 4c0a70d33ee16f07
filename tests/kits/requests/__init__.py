"""Requests for NeuronCores as people write them, good and bad ones, with what admission makes of them in each mode."""
