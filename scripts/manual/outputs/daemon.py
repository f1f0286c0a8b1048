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
