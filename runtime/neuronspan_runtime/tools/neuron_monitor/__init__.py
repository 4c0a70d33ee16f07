"""``neuron-monitor``: periodic reports as JSON, and their Prometheus exporter.

Law: AWS's configuration, groups and JSON keys.
"""
