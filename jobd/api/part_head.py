"""The headers of one part of a multipart submission: the part's name, and the check that its body is not encoded.

Pure. Stricter than HTTP libraries: it refuses headers that two programs could read as different names.

Source: RFC 7578, 4.2 (name), 4.6 (no _charset_), 4.7 (no Content-Transfer-Encoding); RFC 9110, 5.6 (token, quoted-string).
"""

import re
from collections.abc import Mapping

from jobd.errors import InvalidRequest

PARTS = ("spec", "files")

_PLAIN_VALUE = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'[ \t]*;[ \t]*({_PLAIN_VALUE})=(?:"((?:[^"\\]|\\.)*)"|({_PLAIN_VALUE}))', re.DOTALL)
_FORM_DATA = re.compile(r"[ \t]*form-data", re.IGNORECASE)
_CHARSET = re.compile(r';[ \t]*charset="?([^";]*)', re.IGNORECASE)
_SHOWN = 64


def part_name(headers: Mapping[str, str]) -> str:
    """Returns the part's name, one of `PARTS`. Raises InvalidRequest: the name is another one, or the body is encoded."""
    for name, value in headers.items():
        if not _is_utf8(name) or not _is_utf8(value):
            raise InvalidRequest("the headers of a part of the multipart body are not UTF-8 text")
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
            'a part of the multipart body needs a header such as: Content-Disposition: form-data; name="spec"'
        )
    if "name" not in found:
        raise InvalidRequest("a part of the multipart body has no name; a submission has 'spec' and 'files'")
    return found["name"]


def _check_encoding(headers: Mapping[str, str], name: str) -> None:
    transfer = headers.get("Content-Transfer-Encoding", "binary").strip().lower()
    if transfer not in ("", "7bit", "8bit", "binary"):
        raise InvalidRequest(
            f"the part {name!r} must not be encoded; send it without Content-Transfer-Encoding", field=name
        )
    if headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise InvalidRequest(
            f"the part {name!r} must not be encoded; send it without Content-Encoding", field=name
        )
    charset = _CHARSET.search(headers.get("Content-Type", ""))
    if name == "spec" and charset and charset[1].strip().lower() not in ("utf-8", "utf8", "us-ascii"):
        raise InvalidRequest(f"the part {name!r} must be UTF-8 text", field=name)


def _is_utf8(text: str) -> bool:
    """Returns whether a header was UTF-8: other bytes are decoded as surrogates."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
