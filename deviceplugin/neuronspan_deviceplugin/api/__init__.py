"""kubelet's gRPC APIs: our .proto files and what protoc made of them.

Law: the *_pb2 files are generated (``python -m neuronspan_deviceplugin.api.generate``), never edited.
"""

import importlib.util
import sys

_MESSAGES_IN_PYTHON = "google.protobuf.internal.python_message"
"""protobuf imports it in any case, with a dozen modules behind it, and uses it only where its own library in C is not
to be had. That is most of a megabyte in the memory of every node."""


def _put_off(name: str) -> None:
    """Let a module be loaded when something of it is asked for, and not when its package's modules import it."""
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    package, _, own = name.rpartition(".")
    setattr(sys.modules[package], own, module)
    spec.loader.exec_module(module)


_put_off(_MESSAGES_IN_PYTHON)
