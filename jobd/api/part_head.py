"""The head of one part of a multipart submission: which part it is, and that its bytes are what they are.

Pure. Stricter than HTTP libraries are: what one program reads as one name and another as a different one is refused.

Source: RFC 7578, 4.2 (name), 4.6 (no _charset_), 4.7 (no Content-Transfer-Encoding); RFC 9110, 5.6 (token, quoted-string).
"""

import re
from collections.abc import Mapping

from jobd.errors import InvalidRequest

PARTS = ("spec", "files")

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'[ \t]*;[ \t]*({_WORD})=(?:"((?:[^"\\]|\\.)*)"|({_WORD}))', re.DOTALL)
_FORM_DATA = re.compile(r"[ \t]*form-data", re.IGNORECASE)
_CHARSET = re.compile(r';[ \t]*charset="?([^";]*)', re.IGNORECASE)
_SHOWN = 64


def part_name(headers: Mapping[str, str]) -> str:
    """Returns which part it is: one of `PARTS`. Raises InvalidRequest: none of them, or encoded in a way that is not taken."""
    for name, value in headers.items():
        if not _is_utf8(name) or not _is_utf8(value):
            raise InvalidRequest("the head of a part of the multipart body is not UTF-8 text")
    name = _name(headers.get("Content-Disposition", ""))
    if name not in PARTS:
        raise InvalidRequest(
            f"unexpected part {name[:_SHOWN]!r}; a submission has one 'spec' and at most one 'files'",
            field=name[:_SHOWN] or None,
        )
    _check_encoding(headers, name)
    return name


def _name(disposition: str) -> str:
    start = _FORM_DATA.match(disposition)
    found: dict[str, str] = {}
    at = start.end() if start else 0
    while start and (parameter := _PARAMETER.match(disposition, at)):
        key, quoted, token = parameter.groups()
        if key.lower() in found:
            break
        found[key.lower()] = token if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
        at = parameter.end()
    if not start or disposition[at:].strip(" \t;"):
        raise InvalidRequest(
            'a part of the multipart body needs a head such as: Content-Disposition: form-data; name="spec"'
        )
    if "name" not in found:
        raise InvalidRequest("a part of the multipart body has no name; a submission has 'spec' and 'files'")
    return found["name"]


def _check_encoding(headers: Mapping[str, str], name: str) -> None:
    transfer = headers.get("Content-Transfer-Encoding", "binary").strip().lower()
    if transfer not in ("", "7bit", "8bit", "binary"):
        raise InvalidRequest(
            f"the part {name!r} must be sent as it is, without Content-Transfer-Encoding", field=name
        )
    if headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise InvalidRequest(f"the part {name!r} must be sent as it is, without Content-Encoding", field=name)
    charset = _CHARSET.search(headers.get("Content-Type", ""))
    if name == "spec" and charset and charset[1].strip().lower() not in ("utf-8", "utf8", "us-ascii"):
        raise InvalidRequest(f"the part {name!r} must be UTF-8 text", field=name)


def _is_utf8(text: str) -> bool:
    """Bytes of a header that are not UTF-8 come as surrogates."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
