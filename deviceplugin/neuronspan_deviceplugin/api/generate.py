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


def generate(target: pathlib.Path) -> int:
    """Write the stubs below the target, in their package's folders; gives protoc's exit status."""
    with importlib.resources.as_file(importlib.resources.files("grpc_tools") / "_proto") as well_known:
        return protoc.main(
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


def main() -> None:
    """Write below TARGET, by default over the committed stubs."""
    sys.exit(generate(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else _ROOT))


if __name__ == "__main__":
    main()
