"""Reads request bodies, within limits of size and time, and query parameters. Every refusal names the field."""

import asyncio
import re
from datetime import datetime
from typing import TypeVar

from aiohttp import web

from jobd.errors import InvalidRequest, TooLarge, WrongMediaType
from jobd.wire.problem import InvalidSpec
from jobd.wire.validation.body import BodyDecoder
from jobd.wire.validation.limits import MAX_BODY_BYTES

READ_LIMIT_S = 30.0
_NUMBER = re.compile(r"\d{1,18}\Z")

T = TypeVar("T")


async def read_json_bytes(request: web.Request, *, optional: bool = False) -> bytes:
    """Returns the body of a request whose Content-Type is JSON. `optional`: a request without a body needs no Content-Type.

    Raises:
        WrongMediaType: the Content-Type is missing or another one. TooLarge. InvalidRequest: the body arrived too slowly.
    """
    says_json = "Content-Type" in request.headers and request.content_type == "application/json"
    if not says_json and (request.content_length or not optional):
        raise _not_json()
    content = await read_bytes(request)
    if content and not says_json:
        raise _not_json()
    return content


def _not_json() -> WrongMediaType:
    return WrongMediaType("the body must be JSON; send Content-Type: application/json")


def refuse_encoded(request: web.Request) -> None:
    """Raises WrongMediaType: the body is compressed. The limits count bytes as sent, so a decompressed body could exceed them."""
    if request.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise WrongMediaType("jobd does not accept compressed bodies; send the body without Content-Encoding")


async def read_bytes(request: web.Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """Returns the body: at most `limit` bytes, within the time limit. Raises TooLarge, InvalidRequest, WrongMediaType."""
    refuse_encoded(request)
    if request.content_length is not None and request.content_length > limit:
        raise TooLarge(f"the body is over the limit of {limit} bytes")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_LIMIT_S):
            async for part in request.content.iter_chunked(65536):
                size += len(part)
                if size > limit:
                    raise TooLarge(f"the body is over the limit of {limit} bytes")
                parts.append(part)
    except TimeoutError:
        raise InvalidRequest("the body did not arrive within 30 seconds", code="body-too-slow") from None
    return b"".join(parts)


def decode(body: bytes, decoder: BodyDecoder[T]) -> T:
    """Returns the decoded body. Raises InvalidRequest, which names the field."""
    try:
        return decoder.decode(body)
    except InvalidSpec as error:
        raise InvalidRequest(str(error), field=error.problems[0].field or None) from None


class Parameters:
    """The query of one request: checks each parameter that the handler reads; `done` refuses all others."""

    def __init__(self, request: web.Request) -> None:
        self._query = request.query
        self._read: set[str] = set()

    def text(self, name: str, default: str | None = None) -> str | None:
        """Returns the parameter, or the default."""
        self._read.add(name)
        values = self._query.getall(name, [])
        if len(values) > 1:
            raise InvalidRequest(f"{name} is given twice", field=name)
        if values and "\0" in values[0]:
            raise InvalidRequest(f"{name} must not contain a NUL character", field=name)
        return values[0] if values else default

    def texts(self, name: str) -> list[str]:
        """Returns all values of a repeatable parameter."""
        self._read.add(name)
        values = self._query.getall(name, [])
        if len(values) > 64:
            raise InvalidRequest(f"{name} is given more than 64 times", field=name)
        return values

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Returns an integer from `low` to `high`."""
        text = self.text(name)
        if text is None:
            return default
        if not _NUMBER.match(text) or not low <= int(text) <= high:
            raise InvalidRequest(f"{name} must be a whole number from {low} to {high}", field=name)
        return int(text)

    def optional_number(self, name: str, low: int, high: int) -> int | None:
        """Returns an integer from `low` to `high`, None where the parameter is absent."""
        return None if self.text(name) is None else self.number(name, low, low, high)

    def flag(self, name: str) -> bool:
        """Returns a boolean: 1, true or the bare name for True; 0, false or absent for False."""
        text = self.text(name, "0")
        if text in ("1", "true", ""):
            return True
        if text in ("0", "false"):
            return False
        raise InvalidRequest(f"{name} must be 1, true, 0 or false", field=name)

    def one_of(self, name: str, allowed: frozenset[str]) -> str | None:
        """Returns one of the allowed values, None where the parameter is absent."""
        text = self.text(name)
        if text is not None and text not in allowed:
            raise InvalidRequest(f"{name} must be one of {', '.join(sorted(allowed))}", field=name)
        return text

    def timestamp(self, name: str) -> datetime | None:
        """Returns an RFC 3339 time, None where the parameter is absent."""
        text = self.text(name)
        if text is None:
            return None
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            time = None
        if time is None or time.tzinfo is None or not 1970 <= time.year < 9999:
            raise InvalidRequest(f"{name} must be an RFC 3339 time such as 2030-01-31T12:00:00Z", field=name)
        return time

    def done(self) -> None:
        """Refuses parameters that the handler has not read."""
        for name in self._query:
            if name not in self._read:
                raise InvalidRequest(f"unknown parameter {name[:64]!r}", field=name[:64])
