"""Kubeconfig files for servers that a test starts."""

import json
import pathlib


def written(folder: pathlib.Path, server: str, authority: pathlib.Path) -> str:
    """Write a kubeconfig for this server, whose user has the token "secret"; return its path."""
    cluster = {"server": server, "certificate-authority": str(authority)}
    config = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "c", "user": {"token": "secret"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return str(path)
