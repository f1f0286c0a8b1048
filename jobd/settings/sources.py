"""Where the settings come from, and which source wins: flag > variable > file > default.

Owns the sources and their order; `config.py` owns what a value means. The file is read anew each time: on SIGHUP jobd asks again. Without
`--config`, jobd reads `jobd.toml` of its configuration folder if there is one.

Source: docs/configuration.md; systemd.exec(5), "CONFIGURATION_DIRECTORY".
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from jobd.errors import ConfigError
from jobd.settings.config import DEFAULTS, NAMES, RUNTIME_DIR, Config, from_mapping
from jobd.settings.variables import VARIABLES

FILE_NAME = "jobd.toml"
SERVICE_FOLDER = "CONFIGURATION_DIRECTORY"
"""Set by systemd for a unit with ConfigurationDirectory=."""
_EMPTY_COUNTS = frozenset({"CALLBACK_PROXY_URL", "EXTRA_HOSTS"})
_FLAGS = {variable.name: variable.flag for variable in VARIABLES}


@dataclass(frozen=True, slots=True)
class Sources:
    """`flags` and `environ`: variable name -> text. `file`: a TOML file, whose keys are the variables' names in lower case; None: the file
    of the configuration folder, if there is one at the time of the call.
    """

    flags: Mapping[str, str]
    environ: Mapping[str, str]
    file: Path | None

    def values(self) -> dict[str, str]:
        """Returns the text of each setting that a source sets. An empty variable counts as unset, except those in `_EMPTY_COUNTS`.

        Raises:
            ConfigError: the file cannot be read or has an unknown key.
        """
        return {**self._of_file(), **self._of_environ(), **self.flags}

    def config(self) -> Config:
        """Returns the settings.

        Raises:
            ConfigError: a value is invalid, or the file cannot be read or has an unknown key.
        """
        return from_mapping(self.values())

    def remedy(self, name: str) -> str:
        """Returns where a wrong setting is corrected, and what its default is."""
        if name in self.flags:
            where = f"the flag {_FLAGS[name]} sets it"
        elif name in self._of_environ():
            where = f"the variable {name} sets it"
        elif name in self._of_file():
            where = f"{name.lower()} in {self._path()} sets it"
        else:
            return f"nothing sets it; set {name}, or {name.lower()} in the file of --config"
        default = DEFAULTS.get(name)
        return f"{where}; without it the default holds" + (f", {default}" if default else "")

    def _of_environ(self) -> dict[str, str]:
        known = NAMES | {RUNTIME_DIR}
        given = self.environ
        return {
            name: given[name] for name in known if name in given and (given[name] or name in _EMPTY_COUNTS)
        }

    def _of_file(self) -> dict[str, str]:
        path = self._path()
        return {} if path is None else _read(path)

    def _path(self) -> Path | None:
        return self.file or _default_file(self.environ)


def from_sources(flags: Mapping[str, str], environ: Mapping[str, str], file: Path | None) -> Config:
    """Returns the settings of these sources. Raises ConfigError."""
    return Sources(flags, environ, file).config()


def _default_file(environ: Mapping[str, str]) -> Path | None:
    """Returns the file in the folder that systemd names, else in the user's; None if there is none."""
    named = environ.get(SERVICE_FOLDER, "").partition(":")[0]
    folder = Path(named) if named else Path(platformdirs.user_config_path("jobd"))
    return folder / FILE_NAME if os.path.lexists(folder / FILE_NAME) else None


def _read(path: Path) -> dict[str, str]:
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError([f"config file {path}: {error.strerror or error}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"config file {path}: {error}"]) from None
    if unknown := [key for key in table if key.upper() not in NAMES]:
        raise ConfigError([f"config file {path}: unknown setting {key!r}{_similar(key)}" for key in unknown])
    return {key.upper(): _file_text(value) for key, value in table.items()}


def _file_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value)


def _similar(key: str) -> str:
    import difflib

    near = difflib.get_close_matches(key.upper(), sorted(NAMES), n=1)
    return f"; did you mean {near[0].lower()}?" if near else "; jobd --help and man 8 jobd list the settings"
