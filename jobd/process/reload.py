"""Takes new values of settings on SIGHUP, without a restart.

Owns which settings change (`plan`, pure) and in which order a reload happens: all sources and files are read and checked first, then all
changes are made at once. A fault changes nothing. The variables and flags of a running process never change, so new values come from
the file: `jobd.toml`, the certificate, the API key.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from jobd.app import App
from jobd.composition.jobs import change_settings
from jobd.errors import ConfigError
from jobd.process import logs
from jobd.process.log_file import LogFile
from jobd.process.notify import ServiceManager
from jobd.process.state_folder import StateFolder, api_key
from jobd.process.tls import ListenerTls, server_context
from jobd.settings.config import Config, from_mapping
from jobd.settings.sources import Sources
from jobd.settings.variables import VARIABLES

TLS = frozenset({"TLS_CERT_FILE", "TLS_KEY_FILE"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """`values`: the texts of the settings from now on. `changed`: the settings that take a new value; `waiting`: those that need a restart
    for theirs.
    """

    values: dict[str, str]
    changed: tuple[str, ...]
    waiting: tuple[str, ...]


def plan(running: Mapping[str, str], new: Mapping[str, str]) -> Plan:
    """Returns what a reload changes. A listener with TLS keeps it, and one without never gets it: that needs a restart."""
    values = dict(running)
    changed, waiting = [], []
    stays_tls = bool(running.get("TLS_CERT_FILE")) == bool(new.get("TLS_CERT_FILE"))
    for variable in VARIABLES:
        name = variable.name
        if running.get(name, variable.default) == new.get(name, variable.default):
            continue
        if not variable.reloads or (name in TLS and not stays_tls):
            waiting.append(name)
            continue
        changed.append(name)
        values.pop(name, None)
        if name in new:
            values[name] = new[name]
    return Plan(values, tuple(changed), tuple(waiting))


@dataclass(frozen=True, slots=True)
class Start:
    """What a jobd was started with. `values`: the texts that `config` was made of."""

    sources: Sources
    values: dict[str, str]
    config: Config
    folder: StateFolder
    log_file: LogFile | None


class Reloader:
    """`config`: the settings that hold now."""

    def __init__(self, start: Start, app: App, tls: ListenerTls | None) -> None:
        self.config = start.config
        self._values = start.values
        self._sources = start.sources
        self._folder = start.folder
        self._log_file = start.log_file
        self._app = app
        self._tls = tls

    async def run(self, requested: asyncio.Event, manager: ServiceManager) -> None:
        """Reloads each time that `requested` is set."""
        while True:
            await requested.wait()
            requested.clear()
            manager.reloading()
            await self.reload()
            manager.ready()

    async def reload(self) -> None:
        """Reads the settings and their files, and takes the new values; the log names those that need a restart. A fault is logged, and
        changes nothing.
        """
        if self._log_file is not None:
            self._log_file.reopen()
        try:
            planned, config, key, context = await asyncio.to_thread(self._read)
        except ConfigError as error:
            for problem in error.problems:
                log.error("settings not reloaded", extra={"action": "reload", "error": problem})
            return
        self._take(config, key, context)
        self._values, self.config = planned.values, config
        fields = {"action": "reload", "changed": ", ".join(planned.changed)}
        if planned.waiting:
            log.warning("settings reloaded", extra={**fields, "needs_restart": ", ".join(planned.waiting)})
        else:
            log.info("settings reloaded", extra=fields)

    def _read(self) -> tuple[Plan, Config, str | None, ssl.SSLContext | None]:
        """Returns the plan, the settings, the API key and the new certificate. Raises ConfigError."""
        new = self._sources.values()
        from_mapping(new)  # also a fault in a setting that waits for a restart
        planned = plan(self._values, new)
        config = from_mapping(planned.values)
        context = None
        if self._tls is not None and config.tls_cert_file is not None:
            context = server_context(config.tls_cert_file, config.tls_key_file or config.tls_cert_file)
        key = None if config.no_auth else api_key(self._folder, config.api_key_file)
        return planned, config, key, context

    def _take(self, config: Config, key: str | None, context: ssl.SSLContext | None) -> None:
        logs.set_up(config.log_level, config.log_format, self._log_file)
        self._app.access.api_key = key
        if self._tls is not None and context is not None:
            self._tls.replace(context)
        change_settings(self._app.jobs, config)
        if config.job_retention_s != self.config.job_retention_s:
            self._app.store.ended_views.drop(None)  # these views say until when files are kept
