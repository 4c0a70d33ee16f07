"""The operator's settings. Law: flags and environment are read here and nowhere else; files are not settings."""

import dataclasses
import platform
from collections.abc import Mapping, Sequence

from neuronspan import instance_types, names
from neuronspan_agent import logs, settings

PROGRAM = "neuronspan-operator"
_WHAT = "The operator: gives pods contiguous, exclusive NeuronCores."
_SECONDS = settings.number(float, 0.1, 86400, "seconds")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator is told."""

    kubeconfig: str = settings.declared(
        settings.TEXT, "kubeconfig file; empty: $KUBECONFIG, else the pod's service account", default=""
    )
    namespace: str = settings.declared(
        settings.NAME, "namespace of the leader election Lease: the operator's own", default="default"
    )
    identity: str = settings.declared(
        settings.TEXT, "name of this process in Lease and Events; empty: the host's, in a pod its own", default=""
    )
    leader_election: bool = settings.declared(
        settings.SWITCH, "stand by while another operator holds the Lease", default=True
    )
    lease_name: str = settings.declared(settings.NAME, "name of the Lease", default="neuronspan-operator")
    lease_seconds: float = settings.declared(
        _SECONDS, "others wait this long after the leader's last sign of life", default=15.0
    )
    renew_seconds: float = settings.declared(
        _SECONDS, "a leader that could not renew the Lease for so long gives up", default=10.0
    )
    retry_seconds: float = settings.declared(_SECONDS, "time between two tries to get or renew the Lease", default=2.0)
    port: int = settings.declared(settings.PORT, "port of /livez, /readyz and /metrics; 0: any free one", default=8080)
    core_numbering: str = settings.declared(
        settings.choice(*names.CORE_NUMBERINGS),
        "core numbers that containers of new NeuronNodes see",
        default=names.NODE_NUMBERING,
    )
    debounce_seconds: float = settings.declared(
        settings.number(float, 0, 10, "seconds"),
        "least time from the end of a round to the next: what changes meanwhile is collected",
        default=0.005,
    )
    writers: int = settings.declared(
        settings.number(int, 1, 100, "calls"), "parallel writes to the API server", default=32
    )
    call_seconds: float = settings.declared(_SECONDS, "deadline of one call to the API server", default=10.0)
    relist_seconds: float = settings.declared(
        _SECONDS, "caches list everything again this often, beside their watch", default=600.0
    )
    starvation_seconds: float = settings.declared(
        settings.number(float, 0, 86400, "seconds"),
        "a pod that has waited so long has a place kept, which later pods do not get; 0: never",
        default=300.0,
    )
    webhook: bool = settings.declared(
        settings.SWITCH, "answer the API server's admission reviews over HTTPS", default=False
    )
    webhook_port: int = settings.declared(settings.PORT, "port of the webhook; 0: any free one", default=9443)
    webhook_service: str = settings.declared(
        settings.NAME,
        "name of the Service in front of the webhook, in the operator's own namespace",
        default="neuronspan-webhook",
    )
    webhook_secret: str = settings.declared(
        settings.NAME,
        "name of the Secret with the certificate that the operator makes for itself",
        default="neuronspan-webhook-certificate",
    )
    webhook_configuration: str = settings.declared(
        settings.NAME,
        "name of the mutating and of the validating webhook configuration that are to trust this certificate",
        default="neuronspan-webhook",
    )
    webhook_certificates: str = settings.declared(
        settings.TEXT,
        "directory with tls.crt and tls.key that somebody else keeps; empty: the operator makes its certificate",
        default="",
    )
    webhook_drain_seconds: float = settings.declared(
        settings.number(float, 0, 300, "seconds"),
        "the webhook goes on for so long after SIGTERM: until then the API server may still be sent here",
        default=5.0,
    )
    most_cores: int = settings.declared(
        settings.number(int, 1, 1_000_000, "NeuronCores"),
        "larger requests are refused",
        default=instance_types.MOST_CORES,
    )
    most_devices: int = settings.declared(
        settings.number(int, 1, 1_000_000, "Neuron devices"),
        "larger requests are refused",
        default=instance_types.MOST_DEVICES,
    )
    guests: bool = settings.declared(settings.SWITCH, "let pods in that another scheduler binds", default=False)
    log_level: str = settings.declared(
        settings.choice(*logs.LEVELS), "least important level that is logged", default="info"
    )
    log_format: str = settings.declared(settings.choice(*logs.FORMATS), "form of a log line", default=logs.TEXT)


def load(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read flags and environment; raises InvalidSettings with every problem found."""
    given = settings.load(
        Settings, PROGRAM, _WHAT, arguments=arguments, environment=environment, contradictions=_contradictions
    )
    return _completed(given, environment)


def _completed(given: Settings, environment: Mapping[str, str]) -> Settings:
    """Fill in what depends on where the process runs."""
    in_cluster = "KUBERNETES_SERVICE_HOST" in environment
    kubeconfig = given.kubeconfig or ("" if in_cluster else environment.get("KUBECONFIG", ""))
    return dataclasses.replace(given, kubeconfig=kubeconfig, identity=given.identity or platform.node())


def _contradictions(values: settings.Values) -> list[str]:
    steps = ("retry_seconds", "renew_seconds", "lease_seconds")
    if not values.keys() >= {*steps}:
        return []  # one of them cannot be read, which is said already
    retry, renew, lease = (values[each] for each in steps)
    if retry < renew < lease:
        return []
    problem = (
        f"--retry-seconds {retry:g}, --renew-seconds {renew:g} and --lease-seconds {lease:g} must grow in this order, "
        "because a leader has to give up before others take over: change the one that is out of order"
    )
    return [problem]
