"""Which context a kubeconfig means, by kubectl's rules; the client library then reads the rest of it.

Law: of several files the first that says something counts, as in client-go's ClientConfigLoadingRules (tools/clientcmd/
loader.go); the library takes the last file's current-context. Nobody who reads a broken file sees a traceback.
"""

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from neuronspan_agent import errors

_WAY_OUT = "give another one with --kubeconfig or $KUBECONFIG"


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """The context that is meant, and what it says where a command does not; "" where it says nothing."""

    name: str
    namespace: str = ""


def read(paths: str, wanted: str = "") -> Context:
    """Return the context of kubeconfig files, separated as $PATH is; raises LoginFailed.

    ``wanted`` is the one that the user named; without it the files' own current-context is meant.
    """
    known = [(path, _load(path)) for path in _existing(paths)]
    return choose(known, wanted)


def choose(files: Sequence[tuple[pathlib.Path, Mapping[str, Any]]], wanted: str = "") -> Context:
    """Return the context that these files mean, the first one first; raises LoginFailed."""
    where = ", ".join(str(path) for path, _ in files)
    named = (str(content.get("current-context") or "") for _, content in files)
    name = wanted or next(filter(None, named), "")
    contexts = {entry["name"]: entry for path, content in reversed(files) for entry in _contexts(path, content)}
    if not name:
        known = f"name one of {', '.join(sorted(contexts))} with --context" if contexts else _WAY_OUT
        raise errors.LoginFailed(f"the kubeconfig {where} has no current-context: {known}")
    if name not in contexts:
        known = f"it has {', '.join(sorted(contexts))}" if contexts else "it has no context at all"
        raise errors.LoginFailed(f"the kubeconfig {where} has no context {name}: {known}")
    said = contexts[name].get("context") or {}
    return Context(name, str(said.get("namespace") or "") if isinstance(said, Mapping) else "")


def _existing(paths: str) -> list[pathlib.Path]:
    """Return the files that are there: kubectl passes over the others, unless there is none."""
    named = [pathlib.Path(each).expanduser() for each in paths.split(os.pathsep) if each]
    found = [path for path in named if path.exists()]
    if not found:
        missing = ", ".join(map(str, named)) or "of no name"
        raise errors.LoginFailed(f"there is no kubeconfig {missing}: {_WAY_OUT}")
    return found


def _load(path: pathlib.Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise errors.LoginFailed(f"the kubeconfig {path} cannot be read: {error.strerror}; {_WAY_OUT}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise errors.LoginFailed(f"the kubeconfig {path} is no YAML: {_in_one_line(error)}; {_WAY_OUT}") from error
    if content is None:  # an empty file says nothing, like one that is not there
        return {}
    if not isinstance(content, Mapping):
        raise errors.LoginFailed(f"the kubeconfig {path} holds no mapping but {type(content).__name__}: {_WAY_OUT}")
    return content


def _contexts(path: pathlib.Path, content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    entries = content.get("contexts") or []
    if not isinstance(entries, list):
        raise errors.LoginFailed(f"the kubeconfig {path} has contexts that are no list: {_WAY_OUT}")
    for entry in reversed(entries):
        if not isinstance(entry, Mapping) or not entry.get("name"):
            raise errors.LoginFailed(f"the kubeconfig {path} has a context without a name: {_WAY_OUT}")
        yield entry


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())
