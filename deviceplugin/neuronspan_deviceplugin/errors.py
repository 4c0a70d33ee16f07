# ruff: noqa: N818 - the names say what happened (NotFound, NotYet), the base class says that it is an error
"""Everything that can go wrong in the node agent, as one tree.

DevicePluginError
├── InvalidSettings         flags or environment; all problems at once
├── CannotServe             a folder or a port of the node cannot be used
├── ApiError                the API server refused, or did not answer
│   ├── NotFound            no such NeuronNode
│   └── Gone                the watched history is over: list again
├── PodResourcesError       kubelet's PodResources API did not answer
│   └── PodUnknown          it answered that it does not know the pod
├── KubeletRecordUnreadable kubelet's own checkpoint file cannot be read
├── CheckpointUnwritable    ours cannot be written
├── RegistrationFailed      kubelet did not accept the plugin
├── AllocationRefused       final for the pod: kubelet marks it Failed
└── NotYet                  the container may not start now; kubelet asks again

Each message names the thing, the value and the way out.
"""

from collections.abc import Sequence

from neuronspan_deviceplugin import reasons


class DevicePluginError(Exception):
    """The node agent cannot do what it was asked."""


class InvalidSettings(DevicePluginError):
    """Flags or environment variables are wrong; ``problems`` has one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("settings are not usable:\n" + "\n".join(f"- {each}" for each in problems))
        self.problems = tuple(problems)


class CannotServe(DevicePluginError):
    """A folder or a port of the node cannot be used as the settings say."""


class ApiError(DevicePluginError):
    """The API server refused a request or did not answer."""


class NotFound(ApiError):
    """The API server has no such object."""


class Gone(ApiError):
    """The API server no longer has the history asked for."""


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
