"""The keys that leave a terminal without ending its job, as docker's: ctrl-p ctrl-q, or those of --detach-keys. Pure.

Source: docker docs, "docker attach", "Override the detach sequence".
"""

from jobctl.errors import Misuse

DEFAULT = "ctrl-p,ctrl-q"
_AFTER_CTRL = "@abcdefghijklmnopqrstuvwxyz[\\]^_"


def parse(text: str) -> bytes:
    r"""Returns the bytes of a key sequence; empty for the empty text: no keys leave the terminal.

    Raises:
        Misuse: a key is neither one character nor ctrl- and one of a-z, @, [, \\, ], ^ or _.
    """
    return b"".join(_key(key) for key in text.split(",")) if text else b""


def _key(key: str) -> bytes:
    name = key.lower()
    if name.startswith("ctrl-") and len(name) == 6 and name[5] in _AFTER_CTRL:
        return bytes([_AFTER_CTRL.index(name[5])])
    if len(key) == 1 and key.isascii():
        return key.encode()
    raise Misuse(
        f"--detach-keys: {key!r} is no key",
        hint=f"keys are separated by commas, each a character or ctrl- and a letter: {DEFAULT}",
    )


class DetachKeys:
    """Finds the sequence in what a person types, in pieces of any size. Holds back a beginning of the sequence."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = 0
        """How many keys of the sequence were typed last."""

    def feed(self, typed: bytes) -> tuple[bytes, bool]:
        """Returns the bytes to send, and whether the sequence is complete; what follows the sequence is dropped."""
        keys = self._keys
        if not keys:
            return typed, False
        out = bytearray()
        for byte in typed:
            if byte == keys[self._held]:
                self._held += 1
                if self._held == len(keys):
                    self._held = 0
                    return bytes(out), True
                continue
            out += keys[: self._held]
            self._held = 1 if byte == keys[0] else 0
            if not self._held:
                out.append(byte)
        return bytes(out), False
