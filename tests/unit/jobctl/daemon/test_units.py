"""The units that jobctl writes: they start the installed program, and only jobctl's own files are replaced."""

import pytest

from jobctl.daemon.units import NAMES, SERVICE, is_own, own_folder, unit_text

KINDS = ("user", "system")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("program", "written"),
    [
        ("/opt/jobd/bin/jobd", "/opt/jobd/bin/jobd"),
        ("/opt/100%/jobd", "/opt/100%%/jobd"),
        ("/opt/my jobd/jobd", '"/opt/my jobd/jobd"'),
        ('/opt/a"b/jobd', '"/opt/a\\"b/jobd"'),
    ],
)
def test_every_line_starts_the_installed_program(kind: str, program: str, written: str) -> None:
    lines = unit_text(kind, SERVICE, program).splitlines()
    starts = [line.partition("=")[2] for line in lines if line.startswith(("ExecStart=", "ExecReload="))]
    assert starts[:2] == [written, f"{written} --check-config"]
    assert "kill -HUP $MAINPID" in starts[2]
    assert not any(default in line for line in lines for default in ("%h/.local/bin", "/usr/local/bin"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_only_files_of_jobctl_are_its_own(kind: str, name: str) -> None:
    assert is_own(unit_text(kind, name, "/x/jobd"), kind, name)
    assert not is_own("[Unit]\nDescription=mine\n", kind, name)
    assert not is_own("", kind, name)


def test_the_folders() -> None:
    assert own_folder("system", {}) == "/etc/systemd/system"
    assert own_folder("user", {"XDG_CONFIG_HOME": "/c"}) == "/c/systemd/user"
    assert own_folder("user", {"HOME": "/h"}) == "/h/.config/systemd/user"
