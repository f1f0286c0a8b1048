r"""Globs over paths, for `excludes` of a `list` artifact.

    *          any number of characters except `/`; `**` means the same
    ?          one character except `/`
    [a-z_]     one of these characters; `[^a-z]` and `[!a-z]` any other character except `/`
    \*         the character after the backslash, whatever it is
    \xHH       a byte of a name that is no UTF-8, as `jobd/wire/files/filenames.py` escapes it

A glob without a `/` matches names at any depth; a glob with a `/` matches whole paths. A glob with a `/` at its end matches only
folders. The time of a match is proportional to the length of the glob times the length of the path.

Pure. Source: Go documentation, `path/filepath.Match`; POSIX.1-2017, XCU 2.13 (`]`, `-` and `!` in brackets).
"""

import re
from dataclasses import dataclass

MAX_GLOB = 255
_BYTES = re.compile(r"(?:\\x[89a-fA-F][0-9a-fA-F])+")
_NOT_SLASH = "[^/]"


@dataclass(frozen=True, slots=True)
class Glob:
    """One compiled glob."""

    pattern: re.Pattern[str]
    on_path: bool
    folders_alone: bool

    def matches(self, path: str, *, is_folder: bool) -> bool:
        """Returns whether the glob matches `path`: relative, without a `/` at its end, decoded with `surrogateescape`."""
        if self.folders_alone and not is_folder:
            return False
        return self.pattern.fullmatch(path if self.on_path else path.rpartition("/")[2]) is not None


def glob_of(text: str) -> Glob:
    """Compiles a glob.

    Raises:
        ValueError: `text` is no glob, or no path can match it; the error says why.
    """
    if not text or len(text) > MAX_GLOB or "\0" in text:
        raise ValueError(f"must be a glob of 1 to {MAX_GLOB} characters")
    names = _names(text)
    folders_alone = len(names) > 1 and not names[-1]
    if folders_alone:
        names.pop()
    if any(name in ([], ["\\."], ["\\.", "\\."]) for name in names):
        raise ValueError(
            "must be a glob on a name or a relative path: no '/' at its beginning, and no empty part, '.' or '..'"
        )
    return Glob(re.compile("/".join(map(_pattern, names))), len(names) > 1, folders_alone)


def _names(text: str) -> list[list[str]]:
    """Returns for each name of the path its parts: a star, or the pattern of one character."""
    names: list[list[str]] = [[]]
    at = 0
    while at < len(text):
        character = text[at]
        if found := _BYTES.match(text, at):
            raw = bytes.fromhex(found[0].replace("\\x", ""))
            names[-1] += [_literal(c) for c in raw.decode("utf-8", "surrogateescape")]
            at = found.end()
            continue
        if character == "[":
            one, at = _bracket(text, at)
            names[-1].append(one)
            continue
        if character == "\\":
            at += 1
            if at == len(text):
                raise ValueError("must not end with a single backslash; write \\\\ for one")
            character = text[at]
            names[-1].append(_literal(character))
        elif character == "/":
            names.append([])
        elif character == "*":
            if names[-1][-1:] != ["*"]:
                names[-1].append("*")
        else:
            names[-1].append(_NOT_SLASH if character == "?" else _literal(character))
        at += 1
    return names


def _literal(character: str) -> str:
    # Always escaped: an unescaped literal `*` would look like a star.
    return "\\" + character if not character.isalnum() else character


def _bracket(text: str, at: int) -> tuple[str, int]:
    """Returns the pattern of the bracket expression that starts at `at`, and the position after it."""
    beginning = at
    at += 1
    negated = text[at : at + 1] in ("^", "!")
    if negated:
        at += 1
    members: list[str] = []
    while not (text[at : at + 1] == "]" and members):
        low, at = _member(text, at, beginning)
        high = low
        if text[at : at + 1] == "-" and text[at + 1 : at + 2] not in ("]", ""):
            high, at = _member(text, at + 1, beginning)
        if low > high:
            raise ValueError(f"has an empty range in {text[beginning:at]!r}")
        members.append(f"\\U{ord(low):08x}-\\U{ord(high):08x}")
    return (f"[^/{''.join(members)}]" if negated else f"(?!/)[{''.join(members)}]"), at + 1


def _member(text: str, at: int, beginning: int) -> tuple[str, int]:
    if found := _BYTES.match(text, at):
        decoded = bytes.fromhex(found[0].replace("\\x", "")).decode("utf-8", "surrogateescape")
        return decoded[0], at + 4 * len(decoded[0].encode("utf-8", "surrogateescape"))
    if text[at : at + 1] == "\\":
        at += 1
    if at >= len(text):
        raise ValueError(f"has a '[' without its ']': {text[beginning:]!r}; write \\[ for the character")
    return text[at], at + 1


def _pattern(name: list[str]) -> str:
    """Returns the pattern of one name. The first match between two stars suffices, so atomic groups prevent backtracking."""
    pieces: list[list[str]] = [[]]
    for one in name:
        if one == "*":
            pieces.append([])
        else:
            pieces[-1].append(one)
    first, *rest = ("".join(piece) for piece in pieces)
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle) + f"[^/]*{last}"
