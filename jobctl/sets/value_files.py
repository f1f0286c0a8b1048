"""Values of a sweep from this machine's files: the lines of a file, and the files that a pattern matches."""

import sys
from pathlib import Path

from jobctl.errors import LocalFile, Misuse
from jobctl.sets.values import Axis, axis, name_and_source

LONGEST_BYTES = 4 << 20


def each_line(text: str) -> Axis:
    """Returns the axis of `--each-line [NAME=]FILE`: the lines that are not blank; `-` is standard input. Raises Misuse, LocalFile."""
    name, source = name_and_source(text, "--each-line", "line")
    try:
        if source == "-":
            raw = sys.stdin.buffer.read(LONGEST_BYTES + 1)
        else:
            with Path(source).open("rb") as file:
                raw = file.read(LONGEST_BYTES + 1)
        lines = raw.decode("utf-8-sig").splitlines() if len(raw) <= LONGEST_BYTES else None
    except OSError as error:
        raise LocalFile(f"--each-line: {source} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LocalFile(f"--each-line: {source} is not UTF-8 text") from None
    if lines is None:
        raise LocalFile(f"--each-line: {source} is larger than {LONGEST_BYTES >> 20} MiB")
    return axis(name, tuple(line for line in lines if line.strip()), f"--each-line {source}")


def each_file(text: str) -> Axis:
    """Returns the axis of `--each-file [NAME=]PATTERN`: the paths that match, sorted. Raises Misuse: none matches."""
    from glob import glob  # a pattern may be absolute, which Path.glob refuses

    name, pattern = name_and_source(text, "--each-file", "file")
    found = tuple(sorted(glob(pattern, recursive=True)))  # noqa: PTH207
    if not found:
        raise Misuse(f"--each-file {pattern!r} matches no file")
    if any(not path.isprintable() for path in found):
        raise Misuse(f"--each-file {pattern!r} matches a name that is no plain text")
    return axis(name, found, f"--each-file {pattern}")
