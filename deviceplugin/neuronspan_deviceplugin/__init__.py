"""The node agent: gives kubelet the node's NeuronCores, steers it to the granted ones and verifies what it did.

Law: it decides nothing about who gets cores; the ledger does. It has no permission on pods.
"""
