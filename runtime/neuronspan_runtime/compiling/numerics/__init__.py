"""What a compiler for NeuronCores would do to a model's float32 numbers: what it casts, and to what.

Law: changes operands only, never the model's outputs, states or types; without casts a graph stays as it was recorded.
"""
