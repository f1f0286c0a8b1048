"""Keeps out of memory what jobd's packages load when they are imported, and jobd never uses: 5 MB of an idle daemon's 55.

Owns these exceptions alone. They are for the daemon's own process, before the packages are imported there: another program that imports
parts of jobd gets the packages as they are.
"""

import os
import sys
from types import ModuleType

_CERTIFICATES = {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}


def prepare_imports() -> None:
    """Leaves out the unused parts of requests and aiohttp. Does nothing for a package that is imported already."""
    if "requests" not in sys.modules:
        _leave_out_charset_detection()
    if "aiohttp" not in sys.modules:
        _import_aiohttp_without_certificates()


def _leave_out_charset_detection() -> None:
    # requests guesses the encoding of a text that names none. The engine's texts are UTF-8, so the guess is always the same.
    module = ModuleType("charset_normalizer", "Stands for the package, whose guesses jobd does not need.")
    module.__dict__["__version__"] = "3.0.0"
    module.__dict__["detect"] = lambda content: {"encoding": "utf-8"}
    sys.modules.setdefault("charset_normalizer", module)


def _import_aiohttp_without_certificates() -> None:
    # aiohttp reads all certificates of the system, for a context that no connection of jobd uses: connections to receivers and to
    # the engine have contexts of their own. A connection with this one would trust nobody.
    before = {name: os.environ.get(name) for name in _CERTIFICATES}
    os.environ.update(_CERTIFICATES)
    try:
        import aiohttp  # noqa: F401
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
