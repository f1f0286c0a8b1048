"""`jobd --check-config`: finds what would keep jobd from starting with its settings, and starts nothing.

Reads the same sources and files as a start, and writes none. Does not check what a running jobd holds: the ports, the lock of the state
folder, a served socket. So the check gives the same answer beside a running jobd.
"""

from collections.abc import Callable
from pathlib import Path

from jobd.composition.engine import check_engine
from jobd.errors import ConfigError
from jobd.process.listeners import check_socket_path
from jobd.process.log_file import check_log_file
from jobd.process.state_folder import StateFolder, api_key, check_state, fingerprint_key
from jobd.process.tls import server_context
from jobd.settings.config import NAMES, Config
from jobd.settings.sources import Sources


def report(sources: Sources) -> list[str]:
    """Returns the faults in lines: what is wrong, and where that is corrected. Empty: jobd can start with these settings."""
    lines = []
    for problem in problems(sources):
        lines.append(problem)
        name = problem.partition(":")[0]
        if name in NAMES:
            lines.append(f"  {sources.remedy(name)}")
    return lines


def problems(sources: Sources) -> list[str]:
    """Returns the faults of the values, or if all values are valid, of the files and folders that they name."""
    try:
        config = sources.config()
    except ConfigError as error:
        return error.problems
    checks = (_state, _keys, _tls, _socket, _log_file, check_engine)
    return [problem for check in checks for problem in _of(check, config)]


def _of(check: Callable[[Config], object], config: Config) -> list[str]:
    try:
        check(config)
    except ConfigError as error:
        return error.problems
    except OSError as error:
        return [f"{error.filename}: {error.strerror}"]
    return []


def _state(config: Config) -> None:
    check_state(config.state_dir)


def _keys(config: Config) -> None:
    folder = StateFolder(config.state_dir)
    if not config.no_auth and (config.api_key_file is not None or _is_there(folder.path / "api-key")):
        api_key(folder, config.api_key_file)
    if _is_there(folder.path / "fingerprint-key"):
        fingerprint_key(folder)


def _is_there(path: Path) -> bool:
    """False also where this user may not look: `_state` has the fault then. A start generates a missing key."""
    try:
        return path.is_file()
    except PermissionError:
        return False


def _tls(config: Config) -> None:
    if config.tls_cert_file is not None:
        server_context(config.tls_cert_file, config.tls_key_file or config.tls_cert_file)


def _socket(config: Config) -> None:
    check_socket_path(config.socket)


def _log_file(config: Config) -> None:
    if config.log_file is not None:
        check_log_file(config.log_file)
