"""What the commands about the daemon print, and the errors of all commands."""

from jobd.wire.views.daemon import Version
from scripts.manual.outputs.shape import Shape


class Examined(Shape, kw_only=True):
    """One check; `remedy` where it failed."""

    name: str
    ok: bool
    found: str
    remedy: str | None = None


class Health(Shape, kw_only=True):
    """Whether all checks passed."""

    healthy: bool
    checks: list[Examined]


class Versions(Shape, kw_only=True):
    """The versions; `jobd` only where the daemon answered."""

    jobctl: str
    jobd: Version | None = None


class Failure(Shape, kw_only=True):
    """The error of a command, on standard error. `code` is stable; `field` is a path in the job's spec."""

    error: str
    code: str
    field: str | None = None
    hint: str | None = None


class DaemonState(Shape, kw_only=True):
    """What runs jobd: systemd-user, systemd-system or process. `address` and `version`: of the daemon that answers jobctl, if one does."""

    manager: str
    running: bool
    state: str
    pid: int | None = None
    since: str | None = None
    unit: str | None = None
    enabled: bool | None = None
    lingers: bool | None = None
    log: str | None = None
    address: str | None = None
    version: str | None = None
