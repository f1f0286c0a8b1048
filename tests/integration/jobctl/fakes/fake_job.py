"""A job of the fake daemon."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.integration.jobctl.fakes.fake_daemon import FakeDaemon

TERMINAL = ("completed", "failed", "cancelled")


@dataclass
class FakeJob:
    """A job; the test sets its lines and its end."""

    daemon: "FakeDaemon"
    spec: dict[str, Any]
    status: str = "running"
    exit_code: int | None = None
    reason: str | None = None
    error: str | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    uploaded: bytes = b""
    cancels: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    def say(self, line: str, stream: str = "stdout", **more: Any) -> None:
        moment = "2030-01-31T08:00:00.000000Z"
        self.lines.append(
            {"seq": len(self.lines) + 1, "time": moment, "stream": stream, "line": line, **more}
        )
        self.daemon.changed()

    def end(self, exit_code: int | None = 0, reason: str | None = None, status: str | None = None) -> None:
        self.exit_code = exit_code
        self.reason = reason or (None if exit_code == 0 else "exit-code")
        self.status = status or ("failed" if self.reason else "completed")
        self.daemon.changed()

    def view(self) -> dict[str, Any]:
        tree = {
            "id": self.spec["id"], "status": self.status, "image": self.spec["image"], "exitCode": self.exit_code,
            "reason": self.reason, "error": self.error, "createdAt": "2030-01-31T08:00:00Z",
            "phase": "done" if self.status in TERMINAL else "running", **self.extra,
        }  # fmt: skip
        return {key: value for key, value in tree.items() if value is not None}
