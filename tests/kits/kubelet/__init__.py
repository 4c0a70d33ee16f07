"""A model of kubelet: device manager, pods, checkpoint and PodResources over real gRPC, and the plugin beside it."""
