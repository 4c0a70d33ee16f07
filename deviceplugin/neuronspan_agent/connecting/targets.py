"""Which API server is meant, and as whom: a kubeconfig and what the user said beside it make one target. Pure.

Law: kubectl's precedence (k8s.io/client-go/tools/clientcmd/client_config.go): what was said beside the kubeconfig
counts before what it says, and what contradicts itself is refused, all problems at once.
"""

import dataclasses
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import TypeVar

from neuronspan_agent import errors
from neuronspan_agent.connecting import entries, proxies

Entry = TypeVar("Entry", entries.Context, entries.Cluster, entries.User)
_PLUGIN_VERSIONS = "client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"
_MODES = "Never", "IfAvailable", "Always"
_PROXY_SCHEMES = "http", "https"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a user says beside the kubeconfig; what is empty the kubeconfig says."""

    context: str = ""
    context_entry: entries.Context = dataclasses.field(default_factory=entries.Context)
    """Other names than the context's own."""
    cluster: entries.Cluster = dataclasses.field(default_factory=entries.Cluster)
    user: entries.User = dataclasses.field(default_factory=entries.User)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An API server, and a user of it."""

    cluster: entries.Cluster
    """Its server is a URL with a scheme, and without a slash at its end."""
    user: entries.User
    namespace: str = ""
    context: str = ""
    proxy: str = ""
    """Of the kubeconfig or the environment; "" for none."""
    source: str
    """Where this is from, for sentences."""

    @property
    def host(self) -> str:
        """The name or address that the server's certificate has to bear."""
        return self.cluster.tls_server_name or urllib.parse.urlsplit(self.cluster.server).hostname or ""


def choose(config: entries.Kubeconfig, wanted: Wanted, environment: Mapping[str, str]) -> Target:
    """Return the target that is meant; raises LoginFailed with every problem."""
    name, context = _context(config, wanted)
    cluster = _cluster(config, wanted, context.cluster)
    user = _user(config, wanted, context.user)
    source = f"the kubeconfig {config.where}"
    problems = [*_of_cluster(cluster, context.cluster), *_of_user(user, context.user)]
    if problems:
        raise errors.LoginFailed(f"{source} cannot be used: {'; '.join(problems)}")
    cluster = dataclasses.replace(cluster, server=_url(cluster, user))
    if not cluster.server.startswith("https://"):
        user = _in_the_clear(user)
    return Target(
        cluster=cluster,
        user=user,
        namespace=context.namespace,
        context=name,
        proxy=cluster.proxy_url or proxies.of(cluster.server, environment),
        source=source,
    )


def _context(config: entries.Kubeconfig, wanted: Wanted) -> tuple[str, entries.Context]:
    name = wanted.context or config.current_context
    if name and name not in config.contexts:
        known = f"it has {', '.join(sorted(config.contexts))}" if config.contexts else "it has no context at all"
        raise errors.LoginFailed(f"the kubeconfig {config.where} has no context {name}: {known}")
    if not name and not (wanted.context_entry.cluster or wanted.cluster.server):
        known = ", ".join(sorted(config.contexts))
        way_out = f"name one of {known} with --context" if known else "give another one with --kubeconfig"
        raise errors.LoginFailed(f"the kubeconfig {config.where} has no current-context: {way_out}")
    return name, _over(config.contexts.get(name, entries.Context()), wanted.context_entry)


def _cluster(config: entries.Kubeconfig, wanted: Wanted, name: str) -> entries.Cluster:
    if wanted.context_entry.cluster and name not in config.clusters:
        raise errors.LoginFailed(_absent(config, "cluster", name, config.clusters))
    said = wanted.cluster
    chosen = _over(config.clusters.get(name, entries.Cluster()), said)
    if said.insecure or said.authority:  # what is said about trust replaces all of it
        chosen = dataclasses.replace(chosen, insecure=said.insecure, authority=said.authority, authority_data=b"")
    if said.tls_server_name or said.server:  # the name in the kubeconfig is that of another server
        chosen = dataclasses.replace(chosen, tls_server_name=said.tls_server_name)
    return chosen


def _user(config: entries.Kubeconfig, wanted: Wanted, name: str) -> entries.User:
    if wanted.context_entry.user and name not in config.users:
        raise errors.LoginFailed(_absent(config, "user", name, config.users))
    said = wanted.user
    chosen = _over(config.users.get(name, entries.User()), said)
    if said.key:
        chosen = dataclasses.replace(chosen, key_data=b"")
    if said.certificate:
        chosen = dataclasses.replace(chosen, certificate_data=b"")
    return chosen


def _absent(config: entries.Kubeconfig, kind: str, name: str, known: Mapping[str, object]) -> str:
    has = f"it has {', '.join(sorted(known))}" if known else "it has none"
    return f"the kubeconfig {config.where} has no {kind} {name}: {has}"


def _over(base: Entry, said: Entry) -> Entry:
    """Return the entry with all that is said in the other one."""
    fields = {field.name: getattr(said, field.name) for field in dataclasses.fields(said)}
    return dataclasses.replace(base, **{name: value for name, value in fields.items() if value})


def _of_cluster(cluster: entries.Cluster, name: str) -> Iterator[str]:
    if not cluster.server:
        yield f"there is no server of cluster {name!r}: give one with --server, or another context"
    if cluster.authority and cluster.authority_data:
        yield f"cluster {name!r} has both certificate-authority and certificate-authority-data: remove one"
    if cluster.insecure and (cluster.authority or cluster.authority_data):
        yield f"cluster {name!r} has an authority and insecure-skip-tls-verify: remove the latter"
    if cluster.proxy_url and urllib.parse.urlsplit(cluster.proxy_url).scheme not in _PROXY_SCHEMES:
        usable = " and ".join(_PROXY_SCHEMES)
        yield f"cluster {name!r} has proxy-url {cluster.proxy_url!r}: {usable} proxies can be used"


def _of_user(user: entries.User, name: str) -> Iterator[str]:
    if user.token and (user.username or user.password):
        yield f"user {name!r} has a token and a password: remove one"
    if user.password and not user.username:
        yield f"user {name!r} has a password and no username: give one with --username"
    if user.certificate and user.certificate_data:
        yield f"user {name!r} has both client-certificate and client-certificate-data: remove one"
    if user.key and user.key_data:
        yield f"user {name!r} has both client-key and client-key-data: remove one"
    if user.has_certificate and not (user.key or user.key_data):
        yield f"user {name!r} has a client certificate and no client-key: give the key, too"
    if not user.act_as and (user.act_as_uid or user.act_as_groups or user.act_as_extra):
        yield "a UID, groups or extras to act with need a user to act as: give one with --as"
    if user.plugin is not None:
        yield from _of_plugin(user.plugin, name, with_provider=user.provider is not None)
    if user.provider is not None and user.provider.get("name") != "oidc":
        named = user.provider.get("name")
        yield f"user {name!r} has auth-provider {named!r}, which kubectl knows no longer: use an exec plugin"


def _of_plugin(plugin: entries.Plugin, name: str, *, with_provider: bool) -> Iterator[str]:
    if with_provider:
        yield f"user {name!r} has exec and auth-provider: remove one"
    if not plugin.command:
        yield f"exec of user {name!r} has no command"
    if plugin.api_version not in _PLUGIN_VERSIONS:
        known = " or ".join(_PLUGIN_VERSIONS)
        yield f"exec of user {name!r} has apiVersion {plugin.api_version!r}: {known} can be used"
    if plugin.interactive_mode not in _MODES:
        yield f"exec of user {name!r} has interactiveMode {plugin.interactive_mode!r}: give {', '.join(_MODES)}"
    if not all(variable for variable, _ in plugin.environment):
        yield f"exec of user {name!r} has a variable without a name"


def _url(cluster: entries.Cluster, user: entries.User) -> str:
    """Return the server as a URL; without a scheme it is https where there is anything of TLS (rest/url_utils.go)."""
    server = cluster.server.rstrip("/")
    if "://" not in server:
        secure = cluster.authority or cluster.authority_data or cluster.insecure or user.has_certificate
        server = f"{'https' if secure else 'http'}://{server}"
    try:
        parts = urllib.parse.urlsplit(server)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is none, an IPv6 address without its bracket
        usable = False
    if not usable or parts.query or parts.fragment or any(each.isspace() for each in server):
        raise errors.LoginFailed(f"the server {cluster.server!r} is no address: give one like https://host:6443")
    return server


def _in_the_clear(user: entries.User) -> entries.User:
    """Return what of a user may be said without TLS: no secret, only as whom to act."""
    return entries.User(
        act_as=user.act_as,
        act_as_uid=user.act_as_uid,
        act_as_groups=user.act_as_groups,
        act_as_extra=user.act_as_extra,
    )
