"""The units of jobd: their files in this package, their places, and how they name the program that is installed. Reads files, writes none.

Source: systemd.unit(5), "Unit File Load Path".
"""

import os
from collections.abc import Mapping

from jobctl.connection.config import config_home

SERVICE, SOCKET = "jobd.service", "jobd.socket"
NAMES = (SOCKET, SERVICE)
MARK = "# Written by jobctl daemon install; changes belong into a drop-in: systemctl {scope}edit jobd\n"
_MARK_BEGIN = MARK.partition(";")[0]
_PROGRAMS = {"user": "%h/.local/bin/jobd", "system": "/usr/local/bin/jobd"}
_PACKAGED = ("/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd")


def own_folder(kind: str, environ: Mapping[str, str]) -> str:
    """Returns the folder that `jobctl daemon install` writes to. `kind`: user or system."""
    return (
        "/etc/systemd/system" if kind == "system" else os.path.join(config_home(environ), "systemd", "user")
    )


def unit_file(kind: str, environ: Mapping[str, str]) -> str | None:
    """Returns the file of the service that systemd reads, None where there is none."""
    folders = [own_folder(kind, environ), f"/etc/systemd/{kind}", *(f"{each}/{kind}" for each in _PACKAGED)]
    paths = (os.path.join(folder, SERVICE) for folder in folders)
    return next((path for path in paths if os.path.exists(path)), None)


def is_packaged(path: str) -> bool:
    """Returns whether the file belongs to a package of the system."""
    return path.startswith(_PACKAGED)


def is_own(text: str, kind: str, name: str) -> bool:
    """Returns whether a unit's text may be replaced: jobctl has written it, or it is an unchanged copy of the file in this package."""
    return text.startswith(_MARK_BEGIN) or text == _template(kind, name)


def unit_text(kind: str, name: str, program: str) -> str:
    """Returns the text of a unit that starts `program`."""
    scope = "--user " if kind == "user" else ""
    escaped = program.replace("%", "%%")
    if any(char.isspace() or char in "\"'\\" for char in program):
        escaped = '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return MARK.format(scope=scope) + _template(kind, name).replace(_PROGRAMS[kind], escaped)


def _template(kind: str, name: str) -> str:
    with open(os.path.join(os.path.dirname(__file__), "units", kind, name), encoding="utf-8") as file:
        return file.read()
