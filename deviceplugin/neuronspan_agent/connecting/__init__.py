"""The way to an API server: which one, as whom, through what, and what is said when it cannot be reached.

Law: kubectl's rules; where these are from stands beside them. What is meant is decided by functions of values; files,
programs and sockets are touched by `kubeconfigs`, `identities`, `exec_plugins`, `openid`, `in_cluster`, `trust`,
`transport`.
Doors: ``entries``, ``in_cluster``, ``kubeconfigs``, ``targets``, ``transport``.
"""
