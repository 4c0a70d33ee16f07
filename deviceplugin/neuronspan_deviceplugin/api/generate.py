"""Regenerates the stubs of this folder: ``python -m neuronspan_deviceplugin.api.generate [TARGET]``.

Needs grpcio-tools (the ``dev`` extra). Generated code refuses to run with an older grpcio or protobuf than it was made
with, so generate with the oldest versions that pyproject.toml allows.
"""

import importlib.resources
import pathlib
import sys

from grpc_tools import protoc

_FOLDER = pathlib.Path(__file__).parent
_ROOT = _FOLDER.parent.parent  # so that the stubs import each other by their full package names
PROTOS = ("deviceplugin.proto", "podresources.proto")


def main() -> None:
    """Write the stubs below TARGET, by default over the committed ones."""
    target = sys.argv[1] if len(sys.argv) > 1 else str(_ROOT)
    with importlib.resources.as_file(importlib.resources.files("grpc_tools") / "_proto") as well_known:
        outcome = protoc.main(
            [
                "protoc",
                f"--proto_path={_ROOT}",
                f"--proto_path={well_known}",
                f"--python_out={target}",
                f"--pyi_out={target}",
                f"--grpc_python_out={target}",
                *(str(_FOLDER / name) for name in PROTOS),
            ]
        )
    sys.exit(outcome)


if __name__ == "__main__":
    main()
