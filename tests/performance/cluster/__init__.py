"""Pods created to pods bound: the operator beside plain kube-scheduler, in one cluster and in turns."""
