"""The neuron device in tests: fresh processes, models and networks to run, pages to read."""
