"""What a pod's volumes say about nodes.

Law: pure; each module follows the plugin its docstring names.
"""
