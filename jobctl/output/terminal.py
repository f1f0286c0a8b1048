"""Filters text of a job, an image or another user for a terminal: only text and colours remain.

Pure and incremental: the result does not depend on how the text is cut into pieces. The filter removes cursor movements, titles, the
clipboard (OSC 52), hyperlinks, device commands, single escapes, C1 controls, BEL and backspace. Newline, tab, carriage return and
complete colour sequences (SGR, `ESC [ numbers m`) remain. Progress bars need the carriage return; after one, `row_start` is written
again, so that a job can overwrite only its own text.

Source: ECMA-48, 5th edition, sections 5 and 8.3; "XTerm Control Sequences".
"""

import codecs
import re

LONGEST_COLOUR = 64
"""Characters of a colour sequence. Longer sequences are removed."""
LONGEST_SEQUENCE = 4096
"""The most characters that an unfinished sequence removes; the text after them is shown, as it is after a newline."""
LONGEST_STYLE = 256
"""Characters of the active colours, which are written again after a pause."""
RESET = "\x1b[0m"

_TEXT = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f-\x9f]+")
"""Tabs and characters other than controls."""
_COLOUR = re.compile(r"[0-9;:]*", re.ASCII)
_RESETS = re.compile(r"[0;]*", re.ASCII)
_STRINGS = frozenset("]PX^_k")
"""After ESC: OSC, DCS, SOS, PM, APC, and the title of screen and tmux. Each ends with a terminator."""
_C1_STRINGS = frozenset("\x90\x98\x9d\x9e\x9f")


class TerminalFilter:
    """Filters one stream. `row_start`: the text at the start of each row, written again after a carriage return. Without `returns`
    carriage returns are removed. Keeps at most `LONGEST_COLOUR` + `LONGEST_STYLE` characters.
    """

    def __init__(self, *, colours: bool = True, returns: bool = True) -> None:
        self._colours = colours
        self._returns = returns
        self._state = "text"
        self._length = 0
        self._parameters = ""
        self._style = ""
        self._paused = False
        self._returned = False
        self.row_start = ""

    @property
    def kept(self) -> int:
        """The number of kept characters."""
        return len(self._parameters) + len(self._style)

    def feed(self, text: str) -> str:
        """Returns the filtered next piece of text."""
        out: list[str] = []
        at = 0
        while at < len(text):
            if self._state == "text" and (match := _TEXT.match(text, at)):
                self._write(out, match.group())
                at = match.end()
                continue
            if self._take(text[at], out):
                at += 1
        return "".join(out)

    def pause(self) -> str:
        """Returns the sequence that resets the colours. The next text of the same line restores them."""
        if not self._style or self._paused:
            return ""
        self._paused = True
        return RESET

    def _write(self, out: list[str], text: str) -> None:
        if self._returned:
            if self.row_start:  # without the job's colours, which could hide the row's start
                out.append(self.pause() + self.row_start)
            self._returned = False
        if self._paused:
            out.append(self._style)
            self._paused = False
        out.append(text)

    def _take(self, char: str, out: list[str]) -> bool:
        """Processes one character; returns False where the character must be processed again as text."""
        if self._state == "text":
            self._control(char, out)
            return True
        self._length += 1
        if char == "\n" or self._length > LONGEST_SEQUENCE:
            self._state = "text"
            return False
        if char == "\x1b":
            self._begin("escape")
        elif char in "\x18\x1a":
            self._state = "text"
        elif self._state == "string":
            if char in "\x07\x9c":
                self._state = "text"
        elif self._state == "escape":
            return self._escape(char)
        else:
            return self._in_sequence(char, out)
        return True

    def _control(self, char: str, out: list[str]) -> None:
        if char == "\n":
            out.append(self.pause() + "\n")
            self._style, self._paused, self._returned = "", False, False
        elif char == "\r" and self._returns:
            out.append("\r")
            self._returned = True
        elif char == "\x1b":
            self._begin("escape")
        elif char == "\x9b":
            self._begin("ignored")
        elif char in _C1_STRINGS:
            self._begin("string")

    def _begin(self, state: str) -> None:
        self._state, self._length, self._parameters = state, 1, ""

    def _escape(self, char: str) -> bool:
        if char == "[":
            self._state = "colour"
        elif char in _STRINGS:
            self._state = "string"
        elif " " <= char <= "/":
            self._state = "intermediate"
        else:
            self._state = "text"
            return "0" <= char <= "~"
        return True

    def _in_sequence(self, char: str, out: list[str]) -> bool:
        """`colour`: a control sequence that may be a colour; `ignored`: another one; `intermediate`: an escape with several characters."""
        final = "0" if self._state == "intermediate" else "@"
        if final <= char <= "~":
            if self._state == "colour" and char == "m" and self._colours:
                self._colour(out)
            self._state, self._parameters = "text", ""
            return True
        if not " " <= char <= "~":
            self._state, self._parameters = "text", ""
            return False
        if self._state == "colour":
            self._parameters += char
            if len(self._parameters) > LONGEST_COLOUR or not _COLOUR.fullmatch(self._parameters):
                self._state, self._parameters = "ignored", ""
        return True

    def _colour(self, out: list[str]) -> None:
        sequence = f"\x1b[{self._parameters}m"
        if _RESETS.fullmatch(self._parameters):
            if not self._paused:
                out.append(sequence)
            self._style, self._paused = "", False
            return
        self._write(out, sequence)
        kept = self._style + sequence
        self._style = kept if len(kept) <= LONGEST_STYLE else sequence


class ByteFilter:
    """Filters one stream of UTF-8 bytes; other bytes become U+FFFD. A character that is split between two pieces is returned with the
    second. Keeps three bytes, and the characters of `terminal`.
    """

    def __init__(self, terminal: TerminalFilter) -> None:
        self.terminal = terminal
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> bytes:
        """Returns the filtered next piece."""
        return self.terminal.feed(self._decoder.decode(data)).encode()

    def pause(self) -> bytes:
        """As `TerminalFilter.pause`."""
        return self.terminal.pause().encode()


def filtered(text: str, *, colours: bool = True) -> str:
    """Returns a whole text filtered, without carriage returns and with the colours reset at its end."""
    one = TerminalFilter(colours=colours, returns=False)
    return one.feed(text) + one.pause()
