"""What a kubeconfig and the flags beside it mean together, and what contradicts itself."""

import dataclasses
from typing import Any

import pytest

from neuronspan_agent import errors
from neuronspan_agent.connecting import entries, targets

PLUGIN = entries.Plugin(command="aws", api_version="client.authentication.k8s.io/v1", interactive_mode="Never")
CONFIG = entries.Kubeconfig(
    current_context="dev",
    contexts={
        "dev": entries.Context(cluster="k", user="u", namespace="ml"),
        "prod": entries.Context(cluster="p", user="u"),
    },
    clusters={
        "k": entries.Cluster(server="https://k:6443/", authority="/k.pem", tls_server_name="kube"),
        "p": entries.Cluster(server="https://p", authority_data=b"pem", proxy_url="http://proxy"),
    },
    users={"u": entries.User(token="t"), "c": entries.User(certificate_data=b"c", key_data=b"k")},
    where="/config",
)


def chosen(
    wanted: targets.Wanted | None = None, config: entries.Kubeconfig = CONFIG, **environment: str
) -> targets.Target:
    return targets.choose(config, wanted or targets.Wanted(), environment)


def test_kubeconfig_alone() -> None:
    target = chosen(HTTPS_PROXY="http://other", NO_PROXY="k")
    assert (target.context, target.namespace, target.proxy) == ("dev", "ml", "")
    assert target.cluster.server == "https://k:6443"
    assert (target.user, target.host) == (entries.User(token="t"), "kube")


def test_proxy_of_the_kubeconfig_counts_before_the_environments() -> None:
    assert chosen(targets.Wanted(context="prod"), HTTPS_PROXY="http://other", NO_PROXY="*").proxy == "http://proxy"
    assert chosen(HTTPS_PROXY="http://other").proxy == "http://other"


@pytest.mark.parametrize(
    ("wanted", "field", "value"),
    [
        ({"context_entry": entries.Context(cluster="p")}, "server", "https://p"),
        ({"cluster": entries.Cluster(server="https://new")}, "tls_server_name", ""),
        ({"cluster": entries.Cluster(server="new")}, "server", "https://new"),
        ({"cluster": entries.Cluster(server="https://new/path/")}, "server", "https://new/path"),
        ({"cluster": entries.Cluster(insecure=True)}, "authority", ""),
        ({"context": "prod", "cluster": entries.Cluster(authority="/new")}, "authority_data", b""),
        ({"cluster": entries.Cluster(tls_server_name="n")}, "tls_server_name", "n"),
    ],
)
def test_flags_count_before_the_cluster(wanted: dict[str, Any], field: str, value: object) -> None:
    assert getattr(chosen(targets.Wanted(**wanted)).cluster, field) == value


def test_flags_count_before_the_user() -> None:
    said = entries.User(certificate="/c", key="/k", act_as="other")
    wanted = targets.Wanted(context_entry=entries.Context(user="c", namespace="n"), user=said)
    target = chosen(wanted)
    assert (target.user, target.namespace) == (said, "n")


def test_server_alone_needs_no_kubeconfig() -> None:
    wanted = targets.Wanted(cluster=entries.Cluster(server="https://new", insecure=True))
    assert chosen(wanted, entries.Kubeconfig()).cluster.server == "https://new"


def test_nothing_secret_is_said_without_tls() -> None:
    said = entries.User(username="me", password="p", act_as="other", token_file="/t")
    wanted = targets.Wanted(cluster=entries.Cluster(server="api:8080"), user=said)
    target = chosen(wanted, entries.Kubeconfig())
    assert (target.cluster.server, target.user) == ("http://api:8080", entries.User(act_as="other"))


def _user(**fields: Any) -> entries.Kubeconfig:
    return dataclasses.replace(CONFIG, users={"u": entries.User(**fields)})


def _cluster(**fields: Any) -> entries.Kubeconfig:
    return dataclasses.replace(CONFIG, clusters={"k": entries.Cluster(**fields)})


@pytest.mark.parametrize(
    ("wanted", "config", "words"),
    [
        ({"context": "none"}, CONFIG, "has no context none: it has dev, prod"),
        ({"context": "none"}, entries.Kubeconfig(), "has no context none: it has no context at all"),
        (
            {},
            dataclasses.replace(CONFIG, current_context=""),
            "no current-context: name one of dev, prod with --context",
        ),
        ({}, entries.Kubeconfig(), "no current-context: give another one"),
        ({"context_entry": entries.Context(cluster="x")}, CONFIG, "has no cluster x: it has k, p"),
        ({"context_entry": entries.Context(user="x")}, CONFIG, "has no user x: it has c, u"),
        ({"context_entry": entries.Context(user="x")}, dataclasses.replace(CONFIG, users={}), "no user x: it has none"),
        ({}, dataclasses.replace(CONFIG, clusters={}), "there is no server of cluster 'k'"),
        ({}, _cluster(server="https://k", authority="/a", authority_data=b"a"), "both certificate-authority and"),
        (
            {},
            _cluster(server="https://k", authority="/a", insecure=True),
            "insecure-skip-tls-verify: remove the latter",
        ),
        ({}, _cluster(server="https://k", proxy_url="socks5://p"), "http and https proxies can be used"),
        ({}, _cluster(server="https://k:port"), "'https://k:port' is no address: give one like"),
        ({}, _cluster(server="https://[fd00::1"), "is no address"),
        ({}, _cluster(server="ftp://k"), "is no address"),
        ({}, _cluster(server="https://k m"), "is no address"),
        ({}, _user(token="t", username="me"), "has a token and a password"),
        ({}, _user(password="p"), "has a password and no username"),
        ({}, _user(certificate="/c", certificate_data=b"c", key="/k"), "both client-certificate and"),
        ({}, _user(certificate="/c", key_data=b"c", key="/k"), "both client-key and"),
        ({}, _user(certificate="/c"), "has a client certificate and no client-key"),
        ({}, _user(act_as_groups=("g",)), "need a user to act as: give one with --as"),
        ({}, _user(provider={"name": "gcp"}), "has auth-provider 'gcp', which kubectl knows no longer"),
        ({}, _user(provider={"name": "oidc"}, plugin=PLUGIN), "has exec and auth-provider"),
        ({}, _user(plugin=dataclasses.replace(PLUGIN, command="")), "has no command"),
        ({}, _user(plugin=dataclasses.replace(PLUGIN, api_version="v1alpha1")), "apiVersion 'v1alpha1'"),
        ({}, _user(plugin=dataclasses.replace(PLUGIN, interactive_mode="")), "interactiveMode '': give Never"),
        ({}, _user(plugin=dataclasses.replace(PLUGIN, environment=(("", "a"),))), "has a variable without a name"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(wanted: dict[str, Any], config: entries.Kubeconfig, words: str) -> None:
    with pytest.raises(errors.LoginFailed) as refusal:
        chosen(targets.Wanted(**wanted), config)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_all_problems_are_said_at_once() -> None:
    config = dataclasses.replace(CONFIG, clusters={}, users={"u": entries.User(token="t", username="me")})
    with pytest.raises(errors.LoginFailed, match=r"there is no server .*; user 'u' has a token and a password"):
        chosen(config=config)
