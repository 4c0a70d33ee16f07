"""Programs that give credentials to clients, as kubeconfigs name them under exec."""

import json
import pathlib
import sys
from typing import Any

from neuronspan_agent.connecting import entries

V1 = "client.authentication.k8s.io/v1"


class LoginProgram:
    """A program in a folder that prints what a test wants, and notes what it was told."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.path = folder / "log-in"
        self._answer, self._told = folder / "answer", folder / "told"
        self._status = folder / "status"
        self.path.write_text(
            f"#!{sys.executable} -S\n"
            "import json, os, sys\n"
            f"with open({str(self._told)!r}, 'a') as told:\n"
            "    info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
            "    told.write(json.dumps({'arguments': sys.argv[1:], 'info': info, 'secret': os.environ.get('SECRET'),\n"
            "                           'input': sys.stdin.read()}) + '\\n')\n"
            "print('please wait', file=sys.stderr)\n"
            f"print(open({str(self._answer)!r}).read())\n"
            f"sys.exit(int(open({str(self._status)!r}).read()))\n"
        )
        self.path.chmod(0o755)

    def gives(self, *, version: str = V1, **status: str) -> None:
        """Let it print an answer with this status."""
        self.prints(json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status}))

    def prints(self, text: str, *, status: int = 0) -> None:
        """Let it print this and end so."""
        self._answer.write_text(text)
        self._status.write_text(str(status))

    def told(self) -> list[dict[str, Any]]:
        """What it was told at each run."""
        return [json.loads(line) for line in self._told.read_text().splitlines()] if self._told.exists() else []

    def runs(self) -> int:
        """How often it was run."""
        return len(self.told())

    def plugin(self, **changes: Any) -> entries.Plugin:
        """What a kubeconfig says of it."""
        return entries.Plugin(**{"command": str(self.path), "api_version": V1, "interactive_mode": "Never"} | changes)

    def user(self, **changes: Any) -> dict[str, Any]:
        """The user of a kubeconfig that logs in with it."""
        return {"exec": {"command": str(self.path), "apiVersion": V1, "interactiveMode": "Never", **changes}}
