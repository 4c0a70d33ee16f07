"""Claims, volumes, their classes and what CSI drivers say about nodes, as values.

Law: pure, manifests in, values out; only what decides where a pod may be, or what has to be written before it starts.
"""
