"""The API server's side: this node's NeuronNode, read, followed and reported to.

Law: writes ``status`` and nothing else; the ledger in ``spec`` is only read.
Door: ``status_writer``.
"""
