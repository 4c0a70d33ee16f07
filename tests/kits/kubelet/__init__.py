"""The plugin beside the kubelet of the embedded cluster: one node under test."""
