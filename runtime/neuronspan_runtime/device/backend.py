"""Makes torch know the device `neuron`; cores are claimed later, at first use.

Law: torch is changed once per process, and nowhere else; no core is claimed by it.
"""

import atexit
import ctypes
import gc
import pathlib
import threading
from collections.abc import Callable

import torch
from torch.utils import backend_registration

from neuronspan_runtime import environment, errors
from neuronspan_runtime.cores import hardware
from neuronspan_runtime.device import device_module, session
from neuronspan_runtime.library import extension

NAME = "neuron"
MOST_TORCH_DEVICES = 127
"""torch counts devices in a signed byte."""

_lock = threading.Lock()
_Callback = ctypes.CFUNCTYPE(ctypes.c_void_p)
_Reclaimer = ctypes.CFUNCTYPE(None)
_loaded: list[pathlib.Path] = []  # the library, once it is loaded
_callbacks: list[object] = []  # C++ holds bare pointers to them: kept for ever
_problem = threading.local()  # the text that C++ reads after a call that failed on this thread


def register() -> None:
    """Register the device, its operators and `torch.neuron`; a second call does nothing.

    Raises LibraryUnavailable when the C++ library cannot be had, NeuronRuntimeError when another package has taken
    torch's only place for a device of this kind.
    """
    with _lock:
        if getattr(torch, NAME, None) is device_module:
            return
        library = extension.library()
        try:
            backend_registration.rename_privateuse1_backend(NAME)
        except RuntimeError as error:
            raise errors.NeuronRuntimeError(f"another package has torch's only free device type: {error}") from error
        try:
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
        except OSError as error:
            raise errors.LibraryUnavailable(
                f"{library} does not fit torch {torch.__version__}: {error}. Build one with `neuronspan-runtime build`"
            ) from error
        _loaded.append(library)
        set_initializer(session.start)
        _set_callback("neuronspan_set_closer", session.close)
        _collect_garbage_before_memory_is_refused()
        torch.ops.neuron.set_expected_cores(_expected_cores())
        torch.ops.neuron.set_instance_info(_instance_info())
        torch._register_device_module(NAME, device_module)  # type: ignore[no-untyped-call]  # noqa: SLF001 - torch documents it for device backends
        atexit.register(torch.ops.neuron.finish_loading)
        backend_registration.generate_methods_for_privateuse1_backend(for_storage=True)


def _collect_garbage_before_memory_is_refused() -> None:
    """Let C++ have tensors in reference cycles found before it refuses memory, for as long as Python runs."""
    library = ctypes.CDLL(str(_loaded[0]))
    callback = _Reclaimer(_collect)
    _callbacks.append(callback)
    library.neuronspan_set_reclaimer(callback)
    atexit.register(library.neuronspan_set_reclaimer, None)


def _collect() -> None:
    gc.collect()


def set_initializer(start: Callable[[], object]) -> None:
    """Choose what the first use of the device calls. It must configure the device once, whatever thread calls it.

    What it raises becomes the text of that use's RuntimeError, and the next use tries again.
    """
    _set_callback("neuronspan_set_initializer", start)


def _set_callback(symbol: str, action: Callable[[], object]) -> None:
    """Let C++ call it, for as long as Python runs; the symbol takes a bare pointer."""
    callback = _Callback(lambda: _done(action))
    _callbacks.append(callback)
    getattr(ctypes.CDLL(str(_loaded[0])), symbol)(callback)


def _done(action: Callable[[], object]) -> int | None:
    """Call it for C++: None, or the address of the text that says what went wrong."""
    try:
        action()
    except BaseException as error:  # noqa: BLE001 - nothing may be raised into C
        # a path or a variable may have bytes that are no text
        _problem.text = ctypes.create_string_buffer((str(error) or repr(error)).encode(errors="backslashreplace"))
        return ctypes.addressof(_problem.text)
    return None


def _expected_cores() -> int:
    """Return how many cores this process could come to own, 0 when that is not known; claim none."""
    try:
        settings = environment.read()
        cores = hardware.find(settings).scope.count
    except errors.NeuronRuntimeError:
        return 0  # the first use says what is wrong
    return min(cores, MOST_TORCH_DEVICES)


def _instance_info() -> list[str]:
    """Return what AWS's runtime says of the instance: its family and its revision; nothing when it is not known."""
    try:
        return [session.family(), ""]
    except errors.NeuronRuntimeError:
        return []  # the first use says what is wrong
