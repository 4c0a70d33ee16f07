"""Reads kubeconfig files: which ones are meant, and what they say together.

Law: kubectl's loading rules (k8s.io/client-go/tools/clientcmd/loader.go): one file that was named, or all of
$KUBECONFIG, or ~/.kube/config. Nobody who reads a broken file sees a traceback.
"""

import os
import pathlib
from collections.abc import Mapping, Sequence

import yaml

from neuronspan_agent import errors
from neuronspan_agent.connecting import entries

_WAY_OUT = "give another one with --kubeconfig"
_LARGEST = 16 * 2**20
"""Bytes; one of ten thousand clusters has less. Whatever is larger was not written by a tool for kubeconfigs."""
_VARIABLE = "KUBECONFIG"
# libyaml is ten times as fast, and wheels of PyYAML have it
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(named: str, environment: Mapping[str, str]) -> entries.Kubeconfig:
    """Return what kubectl would read: the file that was named, else those of the environment; raises LoginFailed."""
    if named:
        return of_files([pathlib.Path(named)])
    return of_files(from_environment(environment))


def from_environment(environment: Mapping[str, str]) -> Sequence[pathlib.Path]:
    """Return the files that are read when none is named."""
    listed = environment.get(_VARIABLE, "")
    if listed:
        return [pathlib.Path(each) for each in dict.fromkeys(listed.split(os.pathsep)) if each]
    return [pathlib.Path(environment.get("HOME") or "~").expanduser() / ".kube" / "config"]


def of_files(paths: Sequence[pathlib.Path]) -> entries.Kubeconfig:
    """Return what these files say together, the first one first; those that are not there are passed over.

    Raises LoginFailed when none is there, or one cannot be used.
    """
    found = [entries.read(_load(path), path) for path in paths if path.exists()]
    if not found:
        missing = ", ".join(map(str, paths)) or "of no name"
        raise errors.NoKubeconfig(f"there is no kubeconfig {missing}: {_WAY_OUT}")
    return entries.merged(found)


def _load(path: pathlib.Path) -> object:
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
    except OSError as error:
        raise errors.LoginFailed(f"the kubeconfig {path} cannot be read: {error.strerror}; {_WAY_OUT}") from error
    if len(text) > _LARGEST:
        raise errors.LoginFailed(f"the kubeconfig {path} has more than {_LARGEST} bytes: {_WAY_OUT}")
    try:
        # bytes that are no UTF-8 are refused like all else that is no YAML
        return yaml.load(text.decode("utf-8"), _YAML)  # noqa: S506  both are safe loaders
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        said = " ".join(str(error).split())
        raise errors.LoginFailed(f"the kubeconfig {path} is no YAML: {said}; {_WAY_OUT}") from error
