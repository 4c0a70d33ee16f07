"""Clusters, users and contexts as kubeconfigs say them. Pure: decoded YAML in, values out.

Law: as strict about types as client-go, whose decoder refuses a number where a text belongs; fields that we do not know
are passed over, as there (k8s.io/client-go/tools/clientcmd/api/v1/types.go).
"""

import base64
import binascii
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from neuronspan_agent import errors

EXEC_EXTENSION = "client.authentication.k8s.io/exec"
"""The extension of a cluster that exec plugins are told."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Which cluster as which user; "" where it says nothing."""

    cluster: str = ""
    user: str = ""
    namespace: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where an API server is, and how it proves that it is the one; paths are absolute."""

    server: str = ""
    tls_server_name: str = ""
    insecure: bool = False
    authority: str = ""
    authority_data: bytes = b""
    proxy_url: str = ""
    exec_config: Any = None
    """What exec plugins are told of the cluster besides."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A program that gives credentials."""

    command: str
    api_version: str
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = "IfAvailable"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """How a user proves who he is, and as whom he wants to act; secrets are kept out of representations."""

    token: str = dataclasses.field(default="", repr=False)
    token_file: str = ""
    certificate: str = ""
    certificate_data: bytes = dataclasses.field(default=b"", repr=False)
    key: str = ""
    key_data: bytes = dataclasses.field(default=b"", repr=False)
    username: str = ""
    password: str = dataclasses.field(default="", repr=False)
    plugin: Plugin | None = None
    provider: Mapping[str, Any] | None = dataclasses.field(default=None, repr=False)
    """What stands under auth-provider."""
    act_as: str = ""
    act_as_uid: str = ""
    act_as_groups: tuple[str, ...] = ()
    act_as_extra: tuple[tuple[str, str], ...] = ()

    @property
    def has_certificate(self) -> bool:
        """Whether there is a client certificate, in a file or not."""
        return bool(self.certificate or self.certificate_data)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """One kubeconfig, or several that were merged."""

    current_context: str = ""
    contexts: Mapping[str, Context] = dataclasses.field(default_factory=dict)
    clusters: Mapping[str, Cluster] = dataclasses.field(default_factory=dict)
    users: Mapping[str, User] = dataclasses.field(default_factory=dict)
    where: str = "of no name"
    """The files, for sentences."""


def read(content: Any, path: pathlib.Path) -> Kubeconfig:
    """Return what a decoded kubeconfig says, relative paths resolved from where it lies; raises LoginFailed."""
    if content is None:  # an empty file says nothing, like one that is not there
        return Kubeconfig(where=str(path))
    whole = _Fields(f"the kubeconfig {path}", content)
    version, kind = whole.text("apiVersion") or "v1", whole.text("kind") or "Config"
    if (version, kind) != ("v1", "Config"):
        raise errors.LoginFailed(f"{whole.where} is a {kind} of {version}: give a file with kind Config of v1")
    folder = pathlib.Path(os.path.abspath(path)).parent  # noqa: PTH100  client-go follows no links either
    return Kubeconfig(
        current_context=whole.text("current-context"),
        contexts={name: _context(each) for name, each in _named(whole, "contexts", "context")},
        clusters={name: _cluster(each, folder) for name, each in _named(whole, "clusters", "cluster")},
        users={name: _user(each, folder) for name, each in _named(whole, "users", "user")},
        where=str(path),
    )


def merged(files: Sequence[Kubeconfig]) -> Kubeconfig:
    """Return what several files say together: of entries with one name, the first file's counts, as a whole."""
    backwards = list(reversed(files))
    return Kubeconfig(
        current_context=next((each.current_context for each in files if each.current_context), ""),
        contexts={name: entry for each in backwards for name, entry in each.contexts.items()},
        clusters={name: entry for each in backwards for name, entry in each.clusters.items()},
        users={name: entry for each in backwards for name, entry in each.users.items()},
        where=", ".join(each.where for each in files),
    )


class _Fields:
    """The fields of a mapping, each of the type that belongs there; null is as good as absent."""

    def __init__(self, where: str, content: Any) -> None:
        if not isinstance(content, Mapping):
            raise errors.LoginFailed(f"{where} is no mapping but {type(content).__name__}: see `kubectl config view`")
        self.where = where
        self._content = content

    def get(self, name: str, kind: type, default: Any) -> Any:
        value = self._content.get(name)
        if value is None:
            return default
        if not isinstance(value, kind):
            said = f"{self.where} has {name} that is {type(value).__name__}"
            raise errors.LoginFailed(f"{said}: it has to be {_WORDS[kind]}")
        return value

    def text(self, name: str) -> str:
        return str(self.get(name, str, ""))

    def flag(self, name: str) -> bool:
        return bool(self.get(name, bool, default=False))

    def data(self, name: str) -> bytes:
        try:
            return base64.b64decode("".join(self.text(name).split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise errors.LoginFailed(f"{self.where} has {name} that is no base64: {error}; encode it anew") from error

    def path(self, name: str, folder: pathlib.Path) -> str:
        """Return an absolute path: a relative one starts where the kubeconfig lies."""
        said = self.text(name)
        return os.path.normpath(folder / said) if said else ""

    def texts(self, name: str) -> tuple[str, ...]:
        found = self.get(name, list, [])
        if not all(isinstance(each, str) for each in found):
            raise errors.LoginFailed(f"{self.where} has {name} that are not all texts: put them into quotes")
        return tuple(found)

    def items(self, name: str) -> Iterator["_Fields"]:
        for number, each in enumerate(self.get(name, list, [])):
            yield _Fields(f"{name}[{number}] of {self.where}", each)

    def names(self) -> list[str]:
        return [str(each) for each in self._content]

    def below(self, name: str, where: str) -> "_Fields":
        return _Fields(where, self.get(name, Mapping, {}))


_WORDS: Mapping[type, str] = {str: "a text, in quotes", bool: "true or false", list: "a list", Mapping: "a mapping"}


def _named(whole: _Fields, plural: str, singular: str) -> Iterator[tuple[str, _Fields]]:
    seen: set[str] = set()
    for item in whole.items(plural):
        name = item.text("name")
        if name in seen:
            raise errors.LoginFailed(f"{whole.where} has two {plural} {name}: rename or remove one")
        seen.add(name)
        yield name, item.below(singular, f"the {singular} {name} of {whole.where}")


def _context(fields: _Fields) -> Context:
    return Context(cluster=fields.text("cluster"), user=fields.text("user"), namespace=fields.text("namespace"))


def _cluster(fields: _Fields, folder: pathlib.Path) -> Cluster:
    extensions = {each.text("name"): each for each in fields.items("extensions")}
    told = extensions[EXEC_EXTENSION].get("extension", object, None) if EXEC_EXTENSION in extensions else None
    return Cluster(
        server=fields.text("server"),
        tls_server_name=fields.text("tls-server-name"),
        insecure=fields.flag("insecure-skip-tls-verify"),
        authority=fields.path("certificate-authority", folder),
        authority_data=fields.data("certificate-authority-data"),
        proxy_url=fields.text("proxy-url"),
        exec_config=told,
    )


def _user(fields: _Fields, folder: pathlib.Path) -> User:
    extra = fields.below("as-user-extra", f"as-user-extra of {fields.where}")
    return User(
        token=fields.text("token"),
        token_file=fields.path("tokenFile", folder),
        certificate=fields.path("client-certificate", folder),
        certificate_data=fields.data("client-certificate-data"),
        key=fields.path("client-key", folder),
        key_data=fields.data("client-key-data"),
        username=fields.text("username"),
        password=fields.text("password"),
        plugin=_plugin(fields.below("exec", f"exec of {fields.where}"), folder)
        if fields.get("exec", Mapping, {})
        else None,
        provider=fields.get("auth-provider", Mapping, None),
        act_as=fields.text("as"),
        act_as_uid=fields.text("as-uid"),
        act_as_groups=fields.texts("as-groups"),
        act_as_extra=tuple((key, each) for key in extra.names() for each in extra.texts(key)),
    )


def _plugin(fields: _Fields, folder: pathlib.Path) -> Plugin:
    command = fields.text("command")
    if os.sep in command:  # what is only a name is looked for in $PATH
        command = fields.path("command", folder)
    version = fields.text("apiVersion")
    default = "IfAvailable" if version == "client.authentication.k8s.io/v1beta1" else ""
    return Plugin(
        command=command,
        api_version=version,
        arguments=fields.texts("args"),
        environment=tuple((each.text("name"), each.text("value")) for each in fields.items("env")),
        install_hint=fields.text("installHint"),
        provide_cluster_info=fields.flag("provideClusterInfo"),
        interactive_mode=fields.text("interactiveMode") or default,
    )
