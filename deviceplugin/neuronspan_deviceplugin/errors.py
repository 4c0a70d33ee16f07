# ruff: noqa: N818 - the names say what happened (PodUnknown, NotYet), the base class says that it is an error
"""Everything that can go wrong in the node agent, as one tree.

AgentError                  neuronspan_agent.errors: settings, pages, API server
└── DevicePluginError
    ├── CannotServe             a folder of the node cannot be used
    ├── PodResourcesError       kubelet's PodResources API did not answer
    │   └── PodUnknown          it answered that it does not know the pod
    ├── KubeletRecordUnreadable kubelet's own checkpoint file cannot be read
    ├── CheckpointUnwritable    ours cannot be written
    ├── RegistrationFailed      kubelet did not accept the plugin
    ├── AllocationRefused       final for the pod: kubelet marks it Failed
    └── NotYet                  the container may not start now; kubelet asks again

Each message names the thing, the value and the way out.
"""

from neuronspan_agent import errors as agent_errors
from neuronspan_deviceplugin import reasons


class DevicePluginError(agent_errors.AgentError):
    """The node agent cannot do what it was asked."""


class CannotServe(DevicePluginError):
    """A folder of the node cannot be used as the settings say."""


class PodResourcesError(DevicePluginError):
    """kubelet's PodResources API did not answer."""


class PodUnknown(PodResourcesError):
    """kubelet does not know the pod."""


class KubeletRecordUnreadable(DevicePluginError):
    """kubelet's device checkpoint cannot be read."""


class CheckpointUnwritable(DevicePluginError):
    """The plugin's own checkpoint cannot be written."""


class RegistrationFailed(DevicePluginError):
    """kubelet did not accept the plugin."""


class AllocationRefused(DevicePluginError):
    """These devices cannot be given to the container; kubelet marks the pod Failed."""

    def __init__(self, message: str, *, reason: reasons.AllocationRefusal) -> None:
        super().__init__(message)
        self.reason = reason


class NotYet(DevicePluginError):
    """The container may not start now; kubelet asks again by itself."""

    def __init__(self, message: str, *, reason: reasons.StartRefusal) -> None:
        super().__init__(message)
        self.reason = reason
