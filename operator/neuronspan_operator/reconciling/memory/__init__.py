"""What the loop remembers of earlier rounds: who holds what, which writes failed, which pods and nodes to leave alone.

Law: it learns from what changed and answers with what changed by that, so that an event never costs a look at all pods.
Nothing here survives the process.
"""
