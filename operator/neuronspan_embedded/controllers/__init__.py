"""What turns workloads into pods, and pods without NeuronCores into bound ones: the least that manifests need.

Law: a controller is a function of the objects that are stored to the writes that bring them nearer to what they say;
what of a manifest is not carried out is named in words.
"""
