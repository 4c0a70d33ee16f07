"""kubectl's own flags for `kubectl neuron`, before a command or behind it, and which cluster they mean.

Law: the words and rules are kubectl's (k8s.io/cli-runtime/pkg/genericclioptions/config_flags.go); what stands behind
the command counts before what stands before it, except for lists, which are joined.
"""

import dataclasses
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import click

from neuronspan_agent import errors
from neuronspan_agent.connecting import entries, in_cluster, kubeconfigs, targets

Command = TypeVar("Command", bound=Callable[..., Any])

_CALL_SECONDS = 30.0
"""Of one request when --request-timeout says nothing: a page of 500 large pods from a far cluster takes seconds."""
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_CALLS_ARE_LOGGED = 6
"""kubectl's verbosity from which each request is shown."""
DEFAULT_NAMESPACE = "default"


def _text(*names: str, meaning: str) -> Callable[[Command], Command]:
    return click.option(*names, metavar="TEXT", help=meaning)


def _list(name: str, meaning: str) -> Callable[[Command], Command]:
    return click.option(name, multiple=True, metavar="TEXT", help=f"{meaning}; may be repeated")


_FLAGS: Final[Sequence[Callable[[Any], Any]]] = [
    _text("--kubeconfig", meaning="the kubeconfig file; default those of $KUBECONFIG, then ~/.kube/config"),
    _text("--context", meaning="the context of the kubeconfig to use"),
    _text("--cluster", meaning="the cluster of the kubeconfig to use"),
    _text("--user", meaning="the user of the kubeconfig to use"),
    _text("-n", "--namespace", meaning="the namespace; default the context's, then default"),
    _text("-s", "--server", meaning="address and port of the API server"),
    _text("--token", meaning="bearer token for the API server"),
    _text("--username", meaning="user name for basic authentication"),
    _text("--password", meaning="password for basic authentication"),
    _text("--client-certificate", meaning="file with a client certificate"),
    _text("--client-key", meaning="file with the key of the client certificate"),
    _text("--certificate-authority", meaning="file with the certificate of the authority"),
    _text("--tls-server-name", meaning="name that the server's certificate has to bear"),
    click.option(
        "--insecure-skip-tls-verify", is_flag=True, default=None, help="do not check who the server is: insecure"
    ),
    _text("--as", meaning="user to act as"),
    _text("--as-uid", meaning="UID to act as"),
    _list("--as-group", "group to act as"),
    _list("--as-user-extra", "key=value of what else to say of the user to act as"),
    _text("--request-timeout", meaning="for one request, like 5s or 2m; 0 for no limit"),
    click.option("-v", "--v", "verbosity", type=int, metavar="N", help="6 and more: show each request"),
]


def kubectls(command: Command) -> Command:
    """Give a command kubectl's flags; it gets them as keywords for ``Flags``."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


@dataclasses.dataclass(frozen=True, slots=True)
class Flags:
    """What was said with kubectl's flags; only what was said is in it."""

    said: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    def behind(self, said: Mapping[str, Any]) -> "Flags":
        """Return what counts when this was said behind the command, too."""
        given = {name: value for name, value in said.items() if value not in (None, ())}
        joined = {name: (*self.said.get(name, ()), *value) for name, value in given.items() if isinstance(value, tuple)}
        return Flags({**self.said, **given, **joined})

    def target(self, environment: Mapping[str, str]) -> targets.Target:
        """Return the API server and user that are meant; raises LoginFailed."""
        try:
            config = kubeconfigs.load(self.text("kubeconfig"), environment)
        except errors.NoKubeconfig:
            if self.text("kubeconfig") or not (self.text("server") or in_cluster.is_possible(environment)):
                raise
            if not self.text("server"):
                return in_cluster.target(environment)
            config = entries.Kubeconfig(where="that is not there")
        return targets.choose(config, self._wanted(), environment)

    def seconds(self) -> float | None:
        """Return how long one request may take, None for no limit; raises click.ClickException."""
        return read_duration(self.text("request_timeout")) if self.text("request_timeout") else _CALL_SECONDS

    def text(self, name: str) -> str:
        """Return what was said, "" for nothing."""
        return str(self.said.get(name) or "")

    def _wanted(self) -> targets.Wanted:
        return targets.Wanted(
            context=self.text("context"),
            context_entry=entries.Context(
                cluster=self.text("cluster"), user=self.text("user"), namespace=self.text("namespace")
            ),
            cluster=entries.Cluster(
                server=self.text("server"),
                tls_server_name=self.text("tls_server_name"),
                insecure=bool(self.said.get("insecure_skip_tls_verify")),
                authority=self.text("certificate_authority"),
            ),
            user=entries.User(
                token=self.text("token"),
                username=self.text("username"),
                password=self.text("password"),
                certificate=self.text("client_certificate"),
                key=self.text("client_key"),
                act_as=self.text("as"),
                act_as_uid=self.text("as_uid"),
                act_as_groups=self.said.get("as_group", ()),
                act_as_extra=tuple(_pairs(self.said.get("as_user_extra", ()))),
            ),
        )


def show_calls(flags: Flags) -> None:
    """Log each request to standard error if it was asked for."""
    if (flags.said.get("verbosity") or 0) >= _CALLS_ARE_LOGGED:
        logging.basicConfig(level=logging.DEBUG, format="%(message)s %(call)s %(status)s")
        for noisy in ("asyncio", "charset_normalizer"):
            logging.getLogger(noisy).setLevel(logging.WARNING)


def read_duration(text: str) -> float | None:
    """Read a duration as Go and kubectl write it; None for 0, which is no limit. Raises click.ClickException."""
    if text.isdecimal():
        return float(text) or None
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise click.ClickException(f"--request-timeout is {text!r}: give a number of seconds, or one like 1s, 2m, 3h")
    return sum(float(number) * _UNITS[unit] for number, unit in parts) or None


def _pairs(said: Sequence[str]) -> Iterator[tuple[str, str]]:
    for each in said:
        key, separator, value = each.partition("=")
        if not separator:
            raise click.ClickException(f"--as-user-extra is {each!r}: give key=value")
        yield key, value
