"""Where a pod may be: the filters and scores of kube-scheduler's default plugins, one module per concern.

Law: pure; each module follows the plugin its docstring names, and a test compares it with the real kube-scheduler.
NeuronCores are none of its business: ``planning`` asks here first and then looks for cores.
"""
