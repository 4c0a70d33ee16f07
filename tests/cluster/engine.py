"""The Docker engine: used when one answers, started by us when none does.

Law: an engine that we start outlives us, is configured by a file of our own, and /etc/docker/daemon.json is only ever
read. An engine that somebody else started is never stopped.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cluster import capabilities, console, environment, errors, layout, locking, packages, process

ANSWER_SECONDS = 20.0
START_SECONDS = 90.0
KEEPS_ASKING_BEFORE = 23
"""Engines from this major version on leave out of `--privileged` what the machine cannot grant."""
RUNTIME = "neuronspan"
SYSTEM_CONFIGURATION = Path("/etc/docker/daemon.json")
PROCESS_FILE = Path("/var/run/docker.pid")


def ensure() -> None:
    """Make sure that an engine answers and can run the nodes' privileged containers."""
    if not shutil.which("docker"):
        install()
    answer = version()
    if answer is None:
        with locking.exclusive(layout.cache().lock("engine")):
            answer = version() or start()
    _check_privileged(answer)


def version() -> int | None:
    """The major version of the engine that answers, None when none does."""
    try:
        text = process.run(["docker", "version", "--format", "{{.Server.Version}}"], timeout=ANSWER_SECONDS)
    except (errors.CommandFailed, FileNotFoundError):
        return None
    return parse_major(text)


def parse_major(text: str) -> int:
    """20 from `20.10.24+dfsg1` or from `Docker version 20.10.24, build 1`; a large number when there is none."""
    found = re.search(r"(\d+)\.\d+", text)
    return int(found[1]) if found else 999


def install() -> None:
    """Install Debian's engine, and its client where that is a package of its own."""
    try:
        packages.install(["docker.io"])
        packages.need("docker", "docker-cli")
    except errors.ClusterError as error:
        raise errors.EngineUnavailable(f"no Docker on this machine, and it could not be installed: {error}") from error


def start() -> int:
    """Start an engine and wait until it answers; returns its major version."""
    host = environment.value("DOCKER_HOST")
    if host:
        raise errors.EngineUnavailable(f"no Docker engine answers at DOCKER_HOST={host}: start it, or unset that")
    if not environment.is_root():
        raise errors.EngineUnavailable(
            "no Docker engine answers: start it (`sudo systemctl start docker`), join the docker group, or run as root"
        )
    daemon = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/usr/local/sbin:/sbin")
    if not daemon:
        install()
        daemon = packages.need("dockerd", "docker.io")
    log = layout.cache().engine_log
    with console.Step(f"no Docker engine answers, starting dockerd (log {log})") as step:
        remove_stale_process_file(PROCESS_FILE)
        child = _spawn([daemon, "--config-file", str(write_configuration(daemon))], log)
        _wait_for_answer(child, log, lambda: step.seconds)
    return version() or 0


def _spawn(command: list[str], log: Path) -> "subprocess.Popen[bytes]":
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
        )


def _wait_for_answer(child: "subprocess.Popen[bytes]", log: Path, seconds: Callable[[], float]) -> None:
    while version() is None:
        if child.poll() is not None or seconds() > START_SECONDS:
            said = process.tail_of(log.read_text(encoding="utf-8", errors="replace"))
            raise errors.EngineUnavailable(f"dockerd did not start; the end of {log}:\n{said}")
        time.sleep(0.3)  # a starting engine tells nobody when it answers: asking is all there is


def remove_stale_process_file(path: Path) -> None:
    """Remove the process file of an engine that is gone: another process with its number would keep dockerd out."""
    try:
        number = path.read_text(encoding="ascii").strip()
        name = Path(f"/proc/{number}/comm").read_text(encoding="ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        name = ""
    if name != "dockerd":
        path.unlink(missing_ok=True)


def write_configuration(daemon: str) -> Path:
    """Our engine's configuration: the system's own, and the runtime wrapper where it is needed."""
    directory = layout.cache().engine
    directory.mkdir(parents=True, exist_ok=True)
    system: dict[str, Any] = {}
    if SYSTEM_CONFIGURATION.is_file():
        system = json.loads(SYSTEM_CONFIGURATION.read_text(encoding="utf-8") or "{}")
    without = capabilities.missing_here()
    if without and parse_major(process.run([daemon, "--version"], timeout=ANSWER_SECONDS)) < KEEPS_ASKING_BEFORE:
        script = directory / "runc-without-missing-capabilities"
        script.write_text(capabilities.wrapper(packages.need("runc", "runc"), without), encoding="utf-8")
        script.chmod(0o755)
        console.say(f"containers will not ask for {', '.join(without)}, which this machine cannot grant")
        system = with_runtime(system, script)
    path = directory / "daemon.json"
    path.write_text(json.dumps(system, indent=2, sort_keys=True), encoding="utf-8")
    return path


def with_runtime(configuration: Mapping[str, Any], script: Path) -> dict[str, Any]:
    """`configuration` with `script` as one more runtime, and as the default."""
    runtimes = {**configuration.get("runtimes", {}), RUNTIME: {"path": str(script)}}
    return {**configuration, "runtimes": runtimes, "default-runtime": RUNTIME}


def _check_privileged(major: int) -> None:
    """An old engine that somebody else started on such a machine cannot run nodes: say so before kind fails."""
    without = capabilities.missing_here()
    if not without or major >= KEEPS_ASKING_BEFORE:
        return
    runtime = process.run(["docker", "info", "--format", "{{.DefaultRuntime}}"], timeout=ANSWER_SECONDS).strip()
    if runtime == "runc":
        raise errors.EngineUnavailable(
            f"the running Docker engine is older than {KEEPS_ASKING_BEFORE} and this machine cannot grant "
            f"{', '.join(without)}, so it cannot run privileged containers: stop it, the next run starts one that can"
        )
