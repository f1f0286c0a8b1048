"""jobd as a service of systemd: writes, enables, starts and removes its units. `systemd.py` has the calls, `units.py` the texts."""

import os
from collections.abc import Iterator, Mapping

from jobctl.connection.config import config_home
from jobctl.daemon import account
from jobctl.daemon.background import Background
from jobctl.daemon.process import start_of
from jobctl.daemon.program import jobd_program
from jobctl.daemon.status import Status
from jobctl.daemon.systemd import Systemd, lingers, runtime_dir
from jobctl.daemon.units import NAMES, is_own, is_packaged, own_folder, unit_file, unit_text
from jobctl.errors import Conflict, LocalFile, NotFound

_OF_THE_ENGINE = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG")


class Service:
    """The units of jobd. `kind`: user or system."""

    def __init__(self, kind: str, environ: Mapping[str, str]) -> None:
        self._kind = kind
        self._environ = environ
        self._systemd = Systemd(kind, environ)

    def unit(self) -> str | None:
        """Returns the file of the service's unit, None if it is not installed."""
        return unit_file(self._kind, self._environ)

    def install(self) -> list[str]:
        """Writes the units, enables and starts them. Repeating it changes nothing, but takes over a new version of the units."""
        said = []
        if self._kind == "system":
            account.require_root("install")
        self._refuse_background()
        unit = self.unit()
        if unit is None or not is_packaged(unit):
            program = jobd_program()
            if self._kind == "system":
                account.require_visible(program)
                if account.ensure_account():
                    said.append(f"the account {account.ACCOUNT} was created")
            said += self._write(program)
        self._systemd.read_units()
        self._systemd.enable()
        if said and self._systemd.state().active == "active":
            self._systemd.restart()
        else:
            self._systemd.start()
        said += self._unseen()
        said.append("jobd runs" + ("" if self._kind == "system" else f", and starts {self._when()}"))
        if self._kind == "system":
            said.append("each user of jobd needs its group, and a new login: usermod -aG jobd NAME")
        elif not lingers(self._user()):
            said.append("jobd ends when you log out; to keep it running: loginctl enable-linger")
        return said

    def uninstall(self) -> list[str]:
        """Stops and disables the units, and removes the files that `install` has written."""
        unit = self._require_unit()
        if self._kind == "system":
            account.require_root("uninstall")
        self._systemd.stop()
        self._systemd.disable()
        if is_packaged(unit):
            return [f"jobd is stopped and disabled; {unit} belongs to a package, which removes it"]
        folder = own_folder(self._kind, self._environ)
        removed = [os.path.join(folder, name) for name in NAMES]
        for name, path in zip(NAMES, removed, strict=True):
            text = _read(path)
            if text is None:
                continue
            if not is_own(text, self._kind, name):
                raise Conflict(
                    f"{path} is not of jobctl, and stays; jobd is stopped and disabled", hint=f"rm {path}"
                )
            _unlink(path)
        self._systemd.read_units()
        self._systemd.forget_failure()
        for empty in self._own_folders():
            try:
                os.rmdir(empty)
            except OSError:
                pass  # it has files of the user, or of other units
        return [f"removed {' and '.join(removed)}; jobd's state stays, and jobs that run go on without jobd"]

    def start(self) -> list[str]:
        """Starts jobd and waits until it is ready."""
        self._require_unit()
        self._refuse_background()
        self._systemd.start()
        return [f"jobd runs ({self._name()}, pid {self._systemd.state().pid})"]

    def stop(self) -> list[str]:
        """Stops jobd and its socket; jobs go on."""
        self._require_unit()
        self._systemd.stop()
        return ["jobd is stopped; jobs that run go on without it"]

    def restart(self) -> list[str]:
        """Stops and starts jobd; requests wait at its socket."""
        self._require_unit()
        self._systemd.restart()
        return [f"jobd runs again ({self._name()}, pid {self._systemd.state().pid})"]

    def reload(self) -> list[str]:
        """Has jobd read its settings again; a fault in them is refused."""
        self._require_unit()
        self._systemd.reload()
        return ["jobd has read its settings again; jobctl daemon logs names those that need a restart"]

    def status(self) -> Status:
        """Returns the state of the service."""
        unit = self.unit()
        state = self._systemd.state()
        return Status(
            manager=f"systemd-{self._kind}",
            running=state.active in ("active", "reloading"),
            state="not installed" if unit is None else f"{state.active} ({state.sub})",
            pid=state.pid or None,
            since=start_of(state.pid) if state.pid else None,
            unit=unit,
            enabled=state.enabled,
            lingers=None if self._kind == "system" else lingers(self._user()),
        )

    def log_texts(self, count: int, *, follows: bool) -> Iterator[str]:
        """Becomes journalctl."""
        self._require_unit()
        self._systemd.show_logs(count, follows=follows)

    def _write(self, program: str) -> list[str]:
        folder = own_folder(self._kind, self._environ)
        texts = {os.path.join(folder, name): (name, unit_text(self._kind, name, program)) for name in NAMES}
        for path, (name, text) in texts.items():
            there = _read(path)
            if there not in (None, text) and not is_own(there, self._kind, name):
                raise Conflict(
                    f"{path} was not written by jobctl, and stays", hint=f"move it away: mv {path} {path}.old"
                )
        changed = [path for path, (_, text) in texts.items() if _read(path) != text]
        for path in changed:
            _write(path, texts[path][1])
        return [f"wrote {path}" for path in changed]

    def _unseen(self) -> list[str]:
        """Returns a warning where this shell names an engine that the service does not know of."""
        names = [name for name in _OF_THE_ENGINE if self._environ.get(name)]
        if not names or self._kind == "system":
            return []
        file = os.path.join(config_home(self._environ), "jobd", "environment")
        if all(f"{name}=" in (_read(file) or "") for name in names):
            return []
        return [
            f"the service does not see {', '.join(names)} of this shell; write it into {file}, then: jobctl daemon restart"
        ]

    def _own_folders(self) -> tuple[str, ...]:
        """Returns the folders that systemd has made for the units, of the socket and of the settings, and of a user those of the units."""
        if self._kind == "system":
            return "/run/jobd", "/etc/jobd"
        config, units = config_home(self._environ), own_folder(self._kind, self._environ)
        return (
            os.path.join(runtime_dir(self._environ), "jobd"),
            os.path.join(config, "jobd"),
            units,
            os.path.dirname(units),
        )

    def _refuse_background(self) -> None:
        if self._kind == "user" and (process := Background(self._environ).running()) is not None:
            with process:
                raise Conflict(
                    f"jobd runs already, as a background process (pid {process.pid})",
                    hint="jobctl daemon stop",
                )

    def _require_unit(self) -> str:
        unit = self.unit()
        if unit is None:
            flag = " --system" if self._kind == "system" else ""
            raise NotFound("jobd is not installed as a service", hint=f"jobctl daemon install{flag}")
        return unit

    def _name(self) -> str:
        return f"{self._kind} service"

    def _when(self) -> str:
        return "with the machine" if lingers(self._user()) else "with your login"

    def _user(self) -> str:
        import pwd

        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            return str(os.getuid())


def _read(path: str) -> str | None:
    """Returns the text of a file, None where there is none. Raises LocalFile."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LocalFile(f"{path} cannot be read: {error.strerror}") from None


def _write(path: str, text: str) -> None:
    """Replaces a file at once, with its folder. Raises LocalFile."""
    temporary = f"{path}.new"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(
            os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "w", encoding="utf-8"
        ) as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        raise LocalFile(f"{path} cannot be written: {error.strerror}") from None


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise LocalFile(f"{path} cannot be removed: {error.strerror}") from None
