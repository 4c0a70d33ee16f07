"""Which files are read, what they say together, and what is said of files that cannot be used."""

import base64
import os
import pathlib

import pytest
import yaml

from neuronspan_agent import errors
from neuronspan_agent.connecting import entries, kubeconfigs

A = "{contexts: [{name: dev, context: {namespace: ml}}, {name: prod, context: {}}], current-context: dev}"
B = "{contexts: [{name: dev, context: {namespace: other}}, {name: test}], current-context: test}"


def _files(folder: pathlib.Path, *contents: str) -> list[pathlib.Path]:
    paths = [folder / f"config-{number}" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content, encoding="utf-8")
    return paths


@pytest.mark.parametrize(
    ("contents", "current", "namespace"),
    [
        ((A, B), "dev", "ml"),
        ((B, A), "test", ""),
        (("", "{current-context: ''}", A), "dev", "ml"),
        (("{current-context: test}", B), "test", ""),
    ],
    ids=["first of two", "turned round", "empty ones", "context in another file"],
)
def test_first_file_that_says_something_counts(
    tmp_path: pathlib.Path, contents: tuple[str, ...], current: str, namespace: str
) -> None:
    config = kubeconfigs.of_files(_files(tmp_path, *contents))
    assert (config.current_context, config.contexts[current].namespace) == (current, namespace)


def test_entry_of_the_first_file_counts_as_a_whole(tmp_path: pathlib.Path) -> None:
    first = "{users: [{name: u, user: {username: me}}]}"
    second = "{users: [{name: u, user: {token: t}}, {name: v, user: {token: v}}]}"
    users = kubeconfigs.of_files(_files(tmp_path, first, second)).users
    assert users == {"u": entries.User(username="me"), "v": entries.User(token="v")}


def test_named_file_counts_before_the_variable_and_that_before_the_home(tmp_path: pathlib.Path) -> None:
    (tmp_path / ".kube").mkdir()
    named, listed = _files(tmp_path, A, B)
    (tmp_path / ".kube" / "config").write_text("{current-context: home}")
    environment = {"HOME": str(tmp_path), "KUBECONFIG": f"{tmp_path}/none{os.pathsep}{listed}{os.pathsep}{listed}"}
    assert kubeconfigs.load(str(named), environment).current_context == "dev"
    assert kubeconfigs.load("", environment).current_context == "test"
    assert kubeconfigs.load("", environment | {"KUBECONFIG": ""}).current_context == "home"


def test_paths_start_where_the_file_that_says_them_lies(tmp_path: pathlib.Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "c").write_text("{clusters: [{name: k, cluster: {certificate-authority: ca.pem}}]}")
    exec_ = "{command: ./log-in, apiVersion: v}"
    user = f"{{tokenFile: t, client-certificate: ../c.pem, client-key: /abs/k.pem, exec: {exec_}}}"
    (tmp_path / "b" / "u").write_text(f"{{users: [{{name: u, user: {user}}}]}}")
    config = kubeconfigs.of_files([tmp_path / "a" / "c", tmp_path / "b" / "u"])
    assert config.clusters["k"].authority == f"{tmp_path}/a/ca.pem"
    said = config.users["u"]
    assert (said.token_file, said.certificate, said.key) == (f"{tmp_path}/b/t", f"{tmp_path}/c.pem", "/abs/k.pem")
    assert said.plugin is not None
    assert said.plugin.command == f"{tmp_path}/b/log-in"


def test_program_without_a_folder_is_looked_for_elsewhere(tmp_path: pathlib.Path) -> None:
    (path,) = _files(tmp_path, "{users: [{name: u, user: {exec: {command: aws, apiVersion: v}}}]}")
    plugin = kubeconfigs.of_files([path]).users["u"].plugin
    assert plugin is not None
    assert plugin.command == "aws"


def test_everything_that_is_understood_is_read(tmp_path: pathlib.Path) -> None:
    plugin = {
        "command": "aws",
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "args": ["eks"],
        "env": [{"name": "A", "value": "b"}],
        "installHint": "install it",
        "provideClusterInfo": True,
    }
    cluster = {
        "server": "https://api",
        "tls-server-name": "name",
        "insecure-skip-tls-verify": True,
        "certificate-authority-data": base64.b64encode(b"pem").decode(),
        "proxy-url": "http://proxy",
        "extensions": [{"name": entries.EXEC_EXTENSION, "extension": {"audience": "a"}}],
        "disable-compression": True,
    }
    user = {
        "token": "t",
        "username": "me",
        "password": "p",
        "client-certificate-data": base64.b64encode(b"c").decode(),
        "client-key-data": base64.b64encode(b"k").decode(),
        "exec": plugin,
        "auth-provider": {"name": "oidc"},
        "as": "other",
        "as-uid": "7",
        "as-groups": ["g"],
        "as-user-extra": {"scope": ["x", "y"]},
    }
    content = {"clusters": [{"name": "k", "cluster": cluster}], "users": [{"name": "u", "user": user}]}
    config = kubeconfigs.of_files(_files(tmp_path, yaml.safe_dump(content)))
    assert config.clusters["k"] == entries.Cluster(
        server="https://api",
        tls_server_name="name",
        insecure=True,
        authority_data=b"pem",
        proxy_url="http://proxy",
        exec_config={"audience": "a"},
    )
    assert config.users["u"] == entries.User(
        token="t",
        username="me",
        password="p",
        certificate_data=b"c",
        key_data=b"k",
        provider={"name": "oidc"},
        act_as="other",
        act_as_uid="7",
        act_as_groups=("g",),
        act_as_extra=(("scope", "x"), ("scope", "y")),
        plugin=entries.Plugin(
            command="aws",
            api_version="client.authentication.k8s.io/v1beta1",
            arguments=("eks",),
            environment=(("A", "b"),),
            install_hint="install it",
            provide_cluster_info=True,
        ),
    )
    assert not {"t", "p"} & set(repr(config.users["u"]).split("'"))  # no secret gets into a log


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is no YAML: "),
        ("\x00", "is no YAML: "),
        ("[" * 3000, "is no YAML: "),
        ("[]", "is no mapping but list"),
        ("{kind: Pod}", "is a Pod of v1: give a file with kind Config of v1"),
        ("{contexts: dev}", "has contexts that is str: it has to be a list"),
        ("{contexts: [dev]}", "contexts[0] of "),
        ("{contexts: [{name: 7}]}", "has name that is int: it has to be a text, in quotes"),
        ("{contexts: [{name: dev}, {name: dev}]}", "has two contexts dev: rename or remove one"),
        ("{users: [{name: u, user: {token: 12345}}]}", "the user u of the kubeconfig "),
        ("{users: [{name: u, user: {client-key-data: '?'}}]}", "has client-key-data that is no base64"),
        ("{users: [{name: u, user: {as-groups: [7]}}]}", "has as-groups that are not all texts"),
        ("{clusters: [{name: k, cluster: {insecure-skip-tls-verify: maybe}}]}", "it has to be true or false"),
        ("{clusters: [{name: k, cluster: []}]}", "it has to be a mapping"),
    ],
)
def test_file_that_cannot_be_used_is_named_with_what_is_wrong(tmp_path: pathlib.Path, content: str, words: str) -> None:
    with pytest.raises(errors.LoginFailed, match="kubeconfig") as caught:
        kubeconfigs.of_files(_files(tmp_path, content))
    said = str(caught.value)
    assert str(tmp_path) in said
    assert words in said
    assert "\n" not in said


def test_no_file_at_all_a_folder_a_huge_file_and_no_text_are_named(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(errors.NoKubeconfig, match=r"there is no kubeconfig .*none: give another one with --kubeconfig"):
        kubeconfigs.of_files([tmp_path / "none"])
    with pytest.raises(errors.NoKubeconfig, match="there is no kubeconfig of no name"):
        kubeconfigs.of_files([])
    with pytest.raises(errors.LoginFailed, match="cannot be read: Is a directory"):
        kubeconfigs.of_files([tmp_path])
    (tmp_path / "latin").write_bytes(b"{current-context: \xff}")
    with pytest.raises(errors.LoginFailed, match="is no YAML"):
        kubeconfigs.of_files([tmp_path / "latin"])
    monkeypatch.setattr(kubeconfigs, "_LARGEST", 10)
    with pytest.raises(errors.LoginFailed, match="has more than 10 bytes"):
        kubeconfigs.of_files(_files(tmp_path, A))
