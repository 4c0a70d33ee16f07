"""An API server like EKS's: its authority and its certificate have no key identifiers.

Operator, device plugin and command line run as processes, strict as Python 3.13 is, and each refuses a server that it
should not trust with a sentence that says which of its properties is wrong.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import ssl
import sys
import urllib.parse
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest

from kits.api_server import control_plane as control_plane_kit
from kits.connecting import authorities
from kits.kubelet import plugin_rig
from kits.world import running_operator, stand_in
from neuronspan_agent import settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

ADDRESS = "IP:127.0.0.1"
STRICT = """
import ssl
_made = ssl.create_default_context
def _strict(*arguments, **named):
    context = _made(*arguments, **named)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context
ssl.create_default_context = _strict
"""
"""What Python 3.13 does, for the Python of this test."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> authorities.Authority:
    return authorities.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def plane(
    tmp_path_factory: pytest.TempPathFactory, authority: authorities.Authority
) -> Iterator[control_plane_kit.ControlPlane]:
    """A real API server with certificates of this authority, good and bad, by the name that it is asked for."""
    other = authorities.Authority(tmp_path_factory.mktemp("other"))
    tls = control_plane_kit.Tls(
        authority.certificate,
        authority.issued(ADDRESS),
        {
            "expired.test": authority.issued("DNS:expired.test", expired=True),
            "itself.test": authority.issued("DNS:itself.test", own=True),
            "other.test": other.issued("DNS:other.test"),
        },
    )
    with control_plane_kit.running(tmp_path_factory.mktemp("plane"), tls=tls) as running:
        yield running


@pytest.fixture
def strict(tmp_path: pathlib.Path) -> Mapping[str, str]:
    """The environment of a process whose TLS is strict."""
    folder = tmp_path / "strict"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(STRICT)
    return {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}


@contextlib.asynccontextmanager
async def running(log: pathlib.Path, environment: Mapping[str, str], *command: str) -> AsyncIterator[None]:
    """Run one of our programs; killed at the end."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *command, stdout=output, stderr=output, env=dict(environment)
        )
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def asked(environment: Mapping[str, str], *arguments: str) -> tuple[int, str]:
    """Run `kubectl neuron`; gives its exit status and all that it says."""
    command = [sys.executable, "-m", "neuronspan_operator.cli.commands", *arguments]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdout=pipe, stderr=asyncio.subprocess.STDOUT, env=dict(environment)
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def agent_flags(rig: plugin_rig.Rig, kubeconfig: str) -> list[str]:
    """The plugin's flags for the node of this rig."""
    said = settings.effective(rig.settings) | {"kubeconfig": kubeconfig, "probe_port": "0"}
    return [f"{settings.flag(name)}={value}" for name, value in said.items()]


def _kubeconfig(plane: control_plane_kit.ControlPlane, folder: pathlib.Path, **cluster: Any) -> str:
    """A kubeconfig of the administrator that says this of the cluster."""
    content = json.loads(pathlib.Path(plane.kubeconfig).read_text())
    content["clusters"][0]["cluster"] |= {name.replace("_", "-"): value for name, value in cluster.items()}
    path = folder / "kubeconfig"
    path.write_text(json.dumps(content))
    return str(path)


async def test_strict_client_refuses_this_server(plane: control_plane_kit.ControlPlane) -> None:
    """Or the next test would show nothing."""
    context = ssl.create_default_context(cafile=plane.authority)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    address = urllib.parse.urlsplit(plane.url)
    with pytest.raises(ssl.SSLCertVerificationError, match="Missing Authority Key Identifier"):
        await asyncio.open_connection(address.hostname, address.port, ssl=context)


async def test_operator_plugin_and_command_line_work(
    plane: control_plane_kit.ControlPlane, strict: Mapping[str, str], tmp_path: pathlib.Path
) -> None:
    kubeconfig = plane.kubeconfig
    with plane.client() as client:
        cluster = stand_in.StandIn(client)
        cluster.wipe()
        async with contextlib.AsyncExitStack() as stack:
            operator = tmp_path / "operator.log"
            flags = ("--port=0", f"--kubeconfig={kubeconfig}", "--identity=me")
            await stack.enter_async_context(running(operator, strict, "neuronspan_operator", *flags))
            cluster.add_node("w1")
            cluster.add_pool("trn1")  # kopf's part, over its own connections
            await running_operator.until(lambda: cluster.pool_condition("trn1", "Ready")[0] == "True", seconds=60)
            await running_operator.until(lambda: cluster.neuron_nodes() == ["w1"], seconds=60)
            rig = await stack.enter_async_context(plugin_rig.running(start=False))
            agent = tmp_path / "agent.log"
            await stack.enter_async_context(
                running(agent, strict, "neuronspan_deviceplugin", *agent_flags(rig, kubeconfig))
            )
            await running_operator.until(lambda: "epoch" in (cluster.neuron_node("w1").get("status") or {}), seconds=60)
            status, said = await asked(strict, "map", "--kubeconfig", kubeconfig)
            assert (status, "w1  trn1.32xlarge  32 of 32 cores free" in said) == (0, True), said
            for log in (operator, agent):
                said = log.read_text()
                assert "has a certificate" not in said  # as every refusal of one begins
                assert "CERTIFICATE_VERIFY_FAILED" not in said
        cluster.wipe()


WRONG = {
    "expired": ({"tls_server_name": "expired.test"}, "has a certificate that has expired: renew it"),
    "another name": ({"tls_server_name": "elsewhere.test"}, "has a certificate that is not for elsewhere.test"),
    "signed by itself": ({"tls_server_name": "itself.test"}, "has a certificate that is not from the certificate-auth"),
    "another authority's": (
        {"tls_server_name": "other.test"},
        "has a certificate that is not from the certificate-auth",
    ),
}


@pytest.mark.parametrize("wrong", [*WRONG, "wrong authority here"])
async def test_server_that_proves_nothing_is_refused_by_all_three(
    plane: control_plane_kit.ControlPlane, strict: Mapping[str, str], tmp_path: pathlib.Path, wrong: str
) -> None:
    own = authorities.Authority(tmp_path / "mine").certificate
    told = (
        {"certificate_authority": str(own)},
        "has a certificate that is not from the certificate-authority of the kubec",
    )
    cluster, words = WRONG.get(wrong, told)
    kubeconfig = _kubeconfig(plane, tmp_path, **cluster)
    status, said = await asked(strict, "map", "--kubeconfig", kubeconfig)
    assert (status, said.count("\n")) == (1, 1)
    assert words in said
    operator, agent = tmp_path / "operator.log", tmp_path / "agent.log"
    async with contextlib.AsyncExitStack() as stack:
        flags = ("--port=0", f"--kubeconfig={kubeconfig}", "--identity=me")
        await stack.enter_async_context(running(operator, strict, "neuronspan_operator", *flags))
        rig = await stack.enter_async_context(plugin_rig.running(start=False))
        await stack.enter_async_context(
            running(agent, strict, "neuronspan_deviceplugin", *agent_flags(rig, kubeconfig))
        )
        await running_operator.until(lambda: words in operator.read_text(), seconds=60)
        await running_operator.until(lambda: words in agent.read_text(), seconds=60)
    assert "Traceback" not in operator.read_text() + agent.read_text()
