"""Imports of compiled modules while signal handlers are set."""

import importlib
import signal
import sys


def import_aside(name: str) -> None:
    """Imports a module in another thread, and waits for that.

    A signal handler that raises an exception inside the import of a compiled module, such as msgspec, can crash the interpreter. Python
    runs handlers in the main thread alone.
    """
    if name in sys.modules:
        return
    import threading

    thread = threading.Thread(target=importlib.import_module, args=(name,), daemon=True)
    # A handler that raises inside `start` would leave a thread that Python does not know, and that complains on stderr.
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)
    thread.join()
