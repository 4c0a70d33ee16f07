"""The plugin's record of holdings on disk: versioned JSON, replaced as a whole.

Law: a file that cannot be read is set aside under a new name and never overwritten, emptied or a reason to crash.
Format rule: a reader of version N reads every version up to N; a change that an older reader would misread raises N.
"""

import dataclasses
import hashlib
import json
import pathlib
import threading
from typing import Any

from neuronspan import errors as domain_errors
from neuronspan_deviceplugin import errors
from neuronspan_deviceplugin.allocation import holdings
from neuronspan_deviceplugin.host import files

VERSION = 1
_PRIVATE = 0o600


@dataclasses.dataclass(frozen=True, slots=True)
class Loaded:
    """What the file said; ``problem`` is a sentence when it had to be set aside, "" otherwise."""

    holdings: holdings.Holdings
    problem: str = ""


class RecordFile:
    """One file; its folder is made when the first record is saved."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._blocked = ""
        self._saving = threading.Lock()  # a save whose waiter was cancelled goes on in its thread

    def load(self, stamp: str) -> Loaded:
        """Read the record. An unreadable file is renamed to ``<name>.corrupt-<stamp>``, and ``problem`` says so.

        When even that fails, nothing is saved any more: the bad file must not be lost.
        """
        try:
            return Loaded(decode(self._path.read_bytes()))
        except FileNotFoundError:
            return Loaded(())
        except (OSError, ValueError, KeyError, TypeError, domain_errors.NeuronspanError) as error:
            return Loaded((), self._set_aside(stamp, error))

    def save(self, current: holdings.Holdings) -> None:
        """Write the record; raises CheckpointUnwritable."""
        if self._blocked:
            raise errors.CheckpointUnwritable(self._blocked)
        try:
            with self._saving:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                files.write_atomically(self._path, [encode(current)], _PRIVATE)
        except OSError as error:
            raise errors.CheckpointUnwritable(
                f"checkpoint {self._path} cannot be written: {error}; give the plugin a writable folder for it"
            ) from error

    def _set_aside(self, stamp: str, error: Exception) -> str:
        aside = self._path.with_name(f"{self._path.name}.corrupt-{stamp}")
        problem = f"checkpoint {self._path} cannot be read ({error!r})"
        try:
            self._path.rename(aside)
        except OSError as refused:
            self._blocked = f"{problem} and cannot be set aside ({refused}): move it away by hand"
            return self._blocked
        return f"{problem}; it was set aside as {aside.name}, the record is rebuilt from kubelet and the ledger"


def encode(current: holdings.Holdings) -> bytes:
    """Return the file's content."""
    body = [each.to_dict() for each in current]
    return json.dumps({"version": VERSION, "checksum": _checksum(body), "holdings": body}, indent=1).encode()


def decode(content: bytes) -> holdings.Holdings:
    """Read the file's content; raises ValueError, KeyError, TypeError or NeuronspanError when it is not right."""
    raw = json.loads(content)
    if raw["version"] != VERSION:
        raise ValueError(f"version {raw['version']!r} is not known, this plugin writes version {VERSION}")
    if raw["checksum"] != _checksum(raw["holdings"]):
        raise ValueError("the checksum does not fit the content")
    return tuple(holdings.Holding.from_dict(each) for each in raw["holdings"])


def _checksum(body: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
