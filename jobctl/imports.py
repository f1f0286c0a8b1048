"""Imports of compiled modules while signal handlers are set."""

import importlib
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
    thread.start()
    thread.join()
