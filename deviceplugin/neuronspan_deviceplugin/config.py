"""The node agent's settings. Law: flags and environment are read here and nowhere else."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from neuronspan import names
from neuronspan_agent import logs, settings
from neuronspan_deviceplugin.kubelet import checkpoint_file
from neuronspan_deviceplugin.tree import layout

PROGRAM = "neuronspan-deviceplugin"
_WHAT = "The node agent: steers kubelet to the granted NeuronCores of its node."
_LEAST_SECONDS = 0.001
_MOST_START_WAIT = 25  # kubelet gives PreStartContainer 30 s
_KUBELET = pathlib.Path("/var/lib/kubelet")
_RUN = pathlib.Path(names.NODE_DIRECTORY)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the node agent is told."""

    node_name: str = settings.declared(settings.NAME, "name of the node, and of its NeuronNode")
    kubelet_directory: pathlib.Path = settings.declared(
        settings.PATH, "kubelet's device plugin directory", default=_KUBELET / "device-plugins"
    )
    pod_resources_socket: pathlib.Path = settings.declared(
        settings.PATH, "kubelet's PodResources socket", default=_KUBELET / "pod-resources" / "kubelet.sock"
    )
    cdi: bool = settings.declared(settings.SWITCH, "false: the container runtime does not know CDI", default=True)
    cdi_directory: pathlib.Path = settings.declared(
        settings.PATH, "where the container runtime looks for CDI documents", default=pathlib.Path("/var/run/cdi")
    )
    run_directory: pathlib.Path = settings.declared(
        settings.PATH,
        "the node's directory of hardware description and lock files; the same path on the host",
        default=_RUN,
    )
    selinux_label: str = settings.declared(
        settings.TEXT,
        "SELinux label of what containers see of that directory, like system_u:object_r:container_file_t:s0; empty: "
        "as the host's own rules have it",
        default="",
    )
    checkpoint: pathlib.Path = settings.declared(
        settings.PATH,
        "the plugin's record; best on memory, because after a reboot nobody holds anything",
        default=_RUN / "deviceplugin" / "checkpoint.json",
    )
    cgroup_root: pathlib.Path = settings.declared(
        settings.PATH, "the host's cgroup file system", default=pathlib.Path("/sys/fs/cgroup")
    )
    sysfs_root: pathlib.Path = settings.declared(
        settings.PATH, "where the host's /sys is, for detected hardware", default=pathlib.Path("/sys")
    )
    dev_root: pathlib.Path = settings.declared(
        settings.PATH, "where the host's /dev is, for detected hardware", default=pathlib.Path("/dev")
    )
    dmi_root: pathlib.Path = settings.declared(
        settings.PATH,
        "where the host's firmware says what machine it is, for detected hardware",
        default=pathlib.Path("/sys/class/dmi/id"),
    )
    logical_cores_file: pathlib.Path = settings.declared(
        settings.PATH,
        "where the host's logical NeuronCore size is configured, for detected hardware; no such file: the default of "
        "the instance type",
        default=pathlib.Path("/") / layout.LOGICAL_CORES,
    )
    show_devices: bool = settings.declared(
        settings.SWITCH,
        "false: the pods of simulated nodes do not see their devices in /sys",
        default=True,
    )
    mount_devices: bool = settings.declared(
        settings.SWITCH,
        "true: real devices are mounted into containers, so that pods with hostUsers: false can open them; where "
        "SELinux is enforced, containers may not open what is mounted",
        default=False,
    )
    core_numbering: str = settings.declared(
        settings.choice(*names.CORE_NUMBERINGS),
        "numbering that containers see when the NeuronNode does not say",
        default=names.NODE_NUMBERING,
    )
    probe_port: int = settings.declared(
        settings.PORT, "port of /livez, /readyz and /metrics; 0: any free one", default=8080
    )
    poll_seconds: float = settings.declared(
        settings.number(float, _LEAST_SECONDS, 60, "seconds"),
        "how often sockets, kubelet's record and control groups are looked at",
        default=1.0,
    )
    start_wait_seconds: float = settings.declared(
        settings.number(float, _LEAST_SECONDS, _MOST_START_WAIT, "seconds"),
        "how long a container start waits for the ledger or a former holder before kubelet has to ask again",
        default=8.0,
    )
    kubeconfig: str = settings.declared(
        settings.TEXT, "kubeconfig file; empty: the service account of the pod", default=""
    )
    log_level: str = settings.declared(
        settings.choice(*logs.LEVELS), "least important level that is logged", default="info"
    )
    log_format: str = settings.declared(settings.choice(*logs.FORMATS), "form of a log line", default=logs.JSON)

    @property
    def kubelet_socket(self) -> pathlib.Path:
        """Where kubelet takes registrations."""
        return self.kubelet_directory / "kubelet.sock"


def load(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read flags and environment; raises InvalidSettings with every problem found."""
    return settings.load(
        Settings, PROGRAM, _WHAT, arguments=arguments, environment=environment, contradictions=_contradictions
    )


def _contradictions(values: settings.Values) -> list[str]:
    checkpoint = values.get("checkpoint")
    if checkpoint and checkpoint.name == checkpoint_file.FILE:
        name = settings.flag("checkpoint")
        return [f"{name} is {checkpoint}: that is the name of kubelet's own record, choose another"]
    return []
