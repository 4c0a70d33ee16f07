"""What admission makes of pods and workloads that ask for NeuronCores: their common form, or a refusal in words.

Law: pure; says what the chart's policies say, to the byte, and never raises for what an API server can send.
Door: ``answering``.
"""
