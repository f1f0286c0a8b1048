"""The rows of README's table for users of the Go service: the refused specs, and the mark of a row's test."""

from collections.abc import Callable
from typing import Any, TypeVar

EVENT = "orchestrator.job."
READ_AFTER = {"id": "out", "type": "read", "in": "out.txt", "depends": "job"}
REFUSED: dict[str, list[tuple[dict[str, Any], str]]] = {
    "unknown fields (also null), names in another case (`Image`)": [
        ({"zzz": None}, "zzz"),
        ({"Image": "x"}, "Image"),
        ({"callback": {"url": "http://h", "Key": "k"}}, "callback.Key"),
    ],
    "negative `cpu`, `memory`, `timeoutSeconds`": [
        ({"cpu": -1}, "cpu"),
        ({"memory": -1}, "memory"),
        ({"timeoutSeconds": -1}, "timeoutSeconds"),
    ],
    "`cpu` below 0.01, `memory` below 6": [({"cpu": 0.009}, "cpu"), ({"memory": 5}, "memory")],
    "unknown types in `callback.events`": [
        ({"callback": {"url": "http://h", "events": [EVENT + "start", "x"]}}, "callback.events[1]")
    ],
    "a repeated artifact id, `depends` on an unknown artifact or on itself": [
        ({"artifacts": [READ_AFTER, READ_AFTER]}, "artifacts[1].id"),
        ({"artifacts": [{**READ_AFTER, "depends": "nobody"}]}, "artifacts[0].depends"),
        ({"artifacts": [{**READ_AFTER, "depends": "out"}]}, "artifacts[0].depends"),
    ],
    "artifact ids beyond letters, digits, `-`, `_`; the id `job`": [
        ({"artifacts": [{**READ_AFTER, "id": "a b"}]}, "artifacts[0].id"),
        ({"artifacts": [{**READ_AFTER, "id": "job"}]}, "artifacts[0].id"),
    ],
    "`workspace` relative, `/`, below `/proc`, `/sys`, `/dev`, with `:`, `.`, `..`, `//`": [
        ({"workspace": path}, "workspace")
        for path in ("w", "/", "/proc/w", "/sys/w", "/dev/w", "/a:b", "/a/./b", "/a/../b", "/a//b")
    ],
    "`subdir` with a leading `/`; `out` of a file with a trailing `/`": [
        (
            {"artifacts": [{"id": "a", "type": "unarchive", "in": "a", "out": "b", "subdir": "/c"}]},
            "artifacts[0].subdir",
        ),
        ({"artifacts": [{"id": "a", "type": "write", "in": "x", "out": "f/"}]}, "artifacts[0].out"),
    ],
    "`excludes` that can match nothing (`/a`, `./a`, `a//b`, `[` without `]`)": [
        (
            {"artifacts": [{"id": "a", "type": "list", "in": ".", "excludes": [glob]}]},
            "artifacts[0].excludes[0]",
        )
        for glob in ("/a", "./a", "a//b", "[")
    ],
    "NUL in a text, a text of 128 KiB or more, an empty name or `=` in `environment`, an empty key in `meta`": [
        ({"command": "a\0"}, "command"),
        ({"command": "x" * (128 << 10)}, "command"),
        ({"environment": {"": "x"}}, "environment"),
        ({"environment": {"a=b": "x"}}, "environment"),
        ({"meta": {"": "x"}}, "meta"),
    ],
    "invalid images, URLs and paths (spaces, port 0, over 8192, 4096 or 255 characters)": [
        ({"image": "a b"}, "image"),
        ({"callback": {"url": "http://h:0/"}}, "callback.url"),
        ({"callback": {"url": "http://h/" + "x" * 8192}}, "callback.url"),
        ({"artifacts": [{**READ_AFTER, "in": "x/" * 2100}]}, "artifacts[0].in"),
    ],
}
T = TypeVar("T", bound=Callable[..., Any])


def claim(row: str) -> Callable[[T], T]:
    """Marks the test of the row whose first column is `row`."""
    return lambda test: test
