"""`kubectl neuron` reaches the server that kubectl reaches, as the same user, whatever files and flags there are."""

import base64
import dataclasses
import json
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import hypothesis
import pytest
from click import testing
from hypothesis import strategies

from kits.api_server import control_plane
from kits.connecting import authorities, login_programs, recording_server
from neuronspan_agent import errors
from neuronspan_operator.cli import commands, flags

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

# --- which context is meant ------------------------------------------------------------------------------------------

NAMES = strategies.sampled_from(["dev", "test", "prod"])
CONTEXTS = strategies.lists(
    strategies.builds(
        lambda name, said: {"name": name, "context": {"cluster": "c", "user": "u"} | said},
        NAMES,
        strategies.sampled_from([{}, {"namespace": "ml"}, {"namespace": "web"}, {"namespace": ""}]),
    ),
    max_size=3,
    unique_by=lambda context: context["name"],
)
FILES = strategies.lists(
    strategies.fixed_dictionaries({"contexts": CONTEXTS}, optional={"current-context": NAMES | strategies.just("")}),
    min_size=1,
    max_size=3,
)
SURROUNDINGS = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
}


@hypothesis.settings(max_examples=60, deadline=None, derandomize=True)
@hypothesis.given(files=FILES, wanted=strategies.just("") | NAMES)
def test_context_and_namespace_are_those_of_kubectl(files: Sequence[Mapping[str, Any]], wanted: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = os.pathsep.join(_written(pathlib.Path(folder), files))
        try:
            target = flags.Flags({"context": wanted}).target({"KUBECONFIG": paths})
            found = target.context, target.namespace
        except errors.LoginFailed:
            found = None
        assert found == _of_kubectl(paths, wanted)


def _written(folder: pathlib.Path, files: Sequence[Mapping[str, Any]]) -> list[str]:
    paths = [folder / f"config-{number}" for number in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        path.write_text(json.dumps({**SURROUNDINGS, **content}), encoding="utf-8")
    return list(map(str, paths))


def _of_kubectl(paths: str, wanted: str) -> tuple[str, str] | None:
    """What kubectl takes, None where it refuses."""
    chosen = ["--context", wanted] if wanted else []
    command = [control_plane.find_tool("kubectl"), "config", "view", "--minify", "--output", "json", *chosen]
    done = subprocess.run(command, env={"KUBECONFIG": paths}, capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    (context,) = json.loads(done.stdout)["contexts"]
    return context["name"], context["context"].get("namespace", "")


# --- what the server sees --------------------------------------------------------------------------------------------

PATH = "/apis/neuronspan.dev/v1alpha1/neuronnodes"


@dataclasses.dataclass
class World:
    """A server that both ask, and the files that both read."""

    server: recording_server.RecordingServer
    authority: authorities.Authority
    folder: pathlib.Path
    program: login_programs.LoginProgram

    def kubeconfig(self, user: Mapping[str, Any], cluster: Mapping[str, Any]) -> str:
        """A kubeconfig with this user and cluster, and others beside them."""
        said = {"server": self.server.url, "certificate-authority": "authority/ca.pem"} | cluster
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [
                {"name": "test", "context": {"cluster": "test", "user": "test"}},
                {"name": "other", "context": {"cluster": "test", "user": "other"}},
            ],
            "clusters": [
                {"name": "test", "cluster": said},
                {"name": "nowhere", "cluster": {"server": "https://127.0.0.1:1"}},
            ],
            "users": [{"name": "test", "user": user}, {"name": "other", "user": {"token": "others"}}],
        }
        path = self.folder / "kubeconfig"
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    def of_kubectl(self, kubeconfig: str, said: Sequence[str], environment: Mapping[str, str]) -> Any:
        """Whom the server sees when kubectl asks; None when it does not."""
        command = [control_plane.find_tool("kubectl"), "get", "--raw", PATH, *said]
        surroundings = {"KUBECONFIG": kubeconfig, "HOME": str(self.folder), "PATH": os.defpath, **environment}
        done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False, timeout=120)
        assert "Traceback" not in done.stderr
        return self.server.last(PATH), list(self._proxied())

    def of_ours(self, kubeconfig: str, said: Sequence[str], environment: Mapping[str, str]) -> Any:
        """Whom the server sees when `kubectl neuron map` asks."""
        surroundings: dict[str, str | None] = dict.fromkeys(PROXIES)
        surroundings |= {"KUBECONFIG": kubeconfig, "HOME": str(self.folder), **environment}
        result = testing.CliRunner(env=surroundings).invoke(commands.main, ["map", *said])
        assert result.exit_code == 1  # there is no node, or no answer
        assert isinstance(result.exception, SystemExit)
        return self.server.last(PATH), list(self._proxied())

    def _proxied(self) -> Iterator[str]:
        yield from self.server.proxied
        self.server.proxied.clear()


PROXIES = [each for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy") for each in (name, name.upper())]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    authority = authorities.Authority(folder / "authority")
    (folder / "token").write_text("of a file\n")
    for name, content in zip(("me.pem", "me.key"), authority.issued(common_name="me"), strict=True):
        (folder / name).write_bytes(content.read_bytes())
    with recording_server.running(authority, "IP:127.0.0.1", "DNS:kube.test", "DNS:localhost") as server:
        yield World(server, authority, folder, login_programs.LoginProgram(folder))


CERTIFICATE = {"client-certificate": "me.pem", "client-key": "me.key"}
V1BETA1 = "client.authentication.k8s.io/v1beta1"
CASES: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any], Sequence[str], Mapping[str, str]]] = {
    "token": ({"token": "t"}, {}, [], {}),
    "token file": ({"tokenFile": "token"}, {}, [], {}),
    "token and its file": ({"tokenFile": "token", "token": "t"}, {}, [], {}),
    "password": ({"username": "me", "password": "p"}, {}, [], {}),
    "password without a name": ({"password": "p"}, {}, [], {}),
    "token and password": ({"token": "t", "username": "me", "password": "p"}, {}, [], {}),
    "certificate": (CERTIFICATE, {}, [], {}),
    "certificate and token": (CERTIFICATE | {"token": "t"}, {}, [], {}),
    "certificate without a key": ({"client-certificate": "me.pem"}, {}, [], {}),
    "acting": ({"token": "t", "as": "x", "as-uid": "7", "as-groups": ["a", "b"]}, {}, [], {}),
    "acting, extra": ({"token": "t", "as": "x", "as-user-extra": {"a/B": ["1", "2"]}}, {}, [], {}),
    "acting without a user": ({"token": "t", "as-groups": ["a"]}, {}, [], {}),
    "flag: token": ({"token": "t"}, {}, ["--token=f"], {}),
    "flag: token beside a password": ({"username": "me", "password": "p"}, {}, ["--token=f"], {}),
    "flag: token beside a program": ({"exec": {}}, {}, ["--token=f"], {}),
    "flag: user": ({"token": "t"}, {}, ["--user=other"], {}),
    "flag: user that is not there": ({"token": "t"}, {}, ["--user=none"], {}),
    "flag: context": ({"token": "t"}, {}, ["--context=other"], {}),
    "flag: context that is not there": ({"token": "t"}, {}, ["--context=none"], {}),
    "flag: cluster": ({"token": "t"}, {}, ["--cluster=nowhere", "--request-timeout=5s"], {}),
    "flag: acting": ({"token": "t"}, {}, ["--as=x", "--as-group=a", "--as-group=b", "--as-uid=7"], {}),
    "flag: certificate": ({"token": "t"}, {}, ["--client-certificate={}/me.pem", "--client-key={}/me.key"], {}),
    "flag: authority": (
        {"token": "t"}, {"certificate-authority": "token"}, ["--certificate-authority={}/authority/ca.pem"], {}
    ),
    "flag: not checked": ({"token": "t"}, {"certificate-authority": "token"}, ["--insecure-skip-tls-verify"], {}),
    "flag: server": (
        {"token": "t"}, {"server": "https://127.0.0.1:1", "tls-server-name": "no.test"}, ["--server=URL"], {}
    ),
    "flag: name of the server": ({"token": "t"}, {}, ["--tls-server-name=kube.test"], {}),
    "flag: password": ({}, {}, ["--username=me", "--password=p"], {}),
    "name of the server": ({"token": "t"}, {"tls-server-name": "kube.test"}, [], {}),
    "another name": ({"token": "t"}, {"tls-server-name": "no.test"}, [], {}),
    "no authority": ({"token": "t"}, {"certificate-authority": ""}, [], {}),
    "proxy": ({"token": "t"}, {"proxy-url": "PROXY"}, [], {"NO_PROXY": "*"}),
    "proxy of the environment": ({"token": "t"}, {"server": "https://kube.test:PORT"}, [], {"HTTPS_PROXY": "PROXY"}),
    "proxy of the environment, lower case": (
        {"token": "t"}, {"server": "https://kube.test:PORT"}, [], {"https_proxy": "PROXY", "no_proxy": "127.0.0.0/8"}
    ),
    "no proxy for this machine": ({"token": "t"}, {}, [], {"HTTPS_PROXY": "http://127.0.0.1:1"}),
    "program": ({"exec": {}}, {}, [], {}),
    "program, v1beta1": ({"exec": {"apiVersion": V1BETA1, "interactiveMode": None}}, {}, [], {}),
    "program without a mode": ({"exec": {"interactiveMode": None}}, {}, [], {}),
    "program of an unknown version": ({"exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1"}}, {}, [], {}),
    "program beside it": ({"exec": {"command": "./log-in"}}, {}, [], {}),
    "program that is not there": ({"exec": {"command": "./none"}}, {}, [], {}),
    "auth-provider of old": ({"auth-provider": {"name": "gcp"}}, {}, [], {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_server_sees_the_same_user_as_from_kubectl(world: World, case: str) -> None:
    user, cluster, said, environment = CASES[case]
    version = user.get("exec", {}).get("apiVersion", login_programs.V1)
    world.program.gives(version=version, token="of a program")
    if "exec" in user:
        user = {"exec": world.program.user()["exec"] | user["exec"]}
    place = {"URL": world.server.url, "PORT": world.server.url.rpartition(":")[2], "PROXY": world.server.proxy}

    def placed(text: str) -> str:
        for name, value in place.items():
            text = text.replace(name, value)
        return text.replace("{}", str(world.folder))

    kubeconfig = world.kubeconfig(user, {name: placed(value) for name, value in cluster.items()})
    arguments = [placed(each) for each in said]
    surroundings = {name: placed(value) for name, value in environment.items()}
    theirs = world.of_kubectl(kubeconfig, arguments, surroundings)
    ours = world.of_ours(kubeconfig, arguments, surroundings)
    assert ours == theirs


def test_kubectl_asks_for_a_name_where_we_ask_as_nobody(world: World) -> None:
    kubeconfig = world.kubeconfig({}, {})
    assert world.of_kubectl(kubeconfig, [], {}) == (None, [])  # it had nobody to ask
    seen, _ = world.of_ours(kubeconfig, [], {})
    assert (seen.authorization, seen.certificate) == ("", "")


def test_programs_are_told_the_same(world: World) -> None:
    world.program.gives(token="t")
    user = world.program.user(provideClusterInfo=True, args=["a"], env=[{"name": "SECRET", "value": "s"}])
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
    kubeconfig = world.kubeconfig(user, {"tls-server-name": "kube.test", "extensions": [extension]})
    before = world.program.runs()
    world.of_kubectl(kubeconfig, [], {})
    world.of_ours(kubeconfig, [], {})
    theirs, ours = world.program.told()[before:]
    authority = base64.b64encode(world.authority.certificate.read_bytes()).decode()
    assert ours["info"]["spec"]["cluster"]["certificate-authority-data"] == authority
    assert ours == theirs
