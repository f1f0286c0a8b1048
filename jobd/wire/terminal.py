"""The JSON of the attach and exec endpoints: an exec's request, the size of a terminal, what jobd reports. `channel.py` has the frames.

Source: docs/attach.md.
"""

from typing import Annotated

import msgspec

from jobd.wire.channel import MAX_SIDE
from jobd.wire.views.base import Error
from jobd.wire.views.log import End

Side = Annotated[int, msgspec.Meta(ge=1, le=MAX_SIDE)]


class TerminalSize(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The size of the client's terminal, in characters."""

    columns: Side
    rows: Side


class ExecRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """A command to run in the worker's container beside the job's own. `stdin`: the client feeds the command's input. `user` and
    `workdir`: the job's own where absent. `environment` is added to the job's.
    """

    command: list[str]
    stdin: bool = False
    tty: bool = False
    environment: dict[str, str] = {}
    workdir: str | None = None
    user: str | None = None
    size: TerminalSize | None = None


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """The client is attached: what it sends arrives. `tty`: the output is a terminal's; `stdin`: jobd takes the client's input."""

    tty: bool
    stdin: bool


class Exit(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The end of an exec's command; the code is null where the engine does not know it."""

    exit_code: int | None


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message on the channel STATUS: one field, or none as a sign of life. After `end`, `exit` and `error` jobd closes the connection."""

    attached: Attached | None = None
    end: End | None = None
    exit: Exit | None = None
    error: Error | None = None
