"""What a terminal may be given of a text that a job, an image or another user wrote: text and colour, and no other control.

Pure and incremental: the result is the same however the text is cut. What is left out are cursor movements, titles, the
clipboard (OSC 52), hyperlinks, device commands, single escapes, C1 controls, BEL and backspace; what stays are newline, tab,
carriage return and complete colour sequences (SGR, `ESC [ numbers m`). A carriage return stays because progress bars need it:
it goes back over the job's own text alone, since each row begins with `row_start`, which is written again after it.

Source: ECMA-48, 5th edition, sections 5 and 8.3; "XTerm Control Sequences".
"""

import codecs
import re

LONGEST_COLOUR = 64
"""Characters of a colour sequence. A longer one is left out."""
LONGEST_SEQUENCE = 4096
"""Characters that an unfinished sequence hides at most; what follows is text again, as after a newline."""
LONGEST_STYLE = 256
"""Characters of the colours that are in effect, which are written again after a pause."""
RESET = "\x1b[0m"

_TEXT = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f-\x9f]+")
"""Tab and all that is no control character."""
_COLOUR = re.compile(r"[0-9;:]*", re.ASCII)
_RESETS = re.compile(r"[0;]*", re.ASCII)
_STRINGS = frozenset("]PX^_k")
"""After ESC: OSC, DCS, SOS, PM, APC, and the title of screen and tmux. All of them last until a terminator."""
_C1_STRINGS = frozenset("\x90\x98\x9d\x9e\x9f")


class TerminalFilter:
    """Filters one stream. `row_start` stands at the start of each row and is written again after a carriage return;
    without `returns`, carriage returns are left out. Keeps at most `LONGEST_COLOUR` + `LONGEST_STYLE` characters.
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
        """How many characters are remembered."""
        return len(self._parameters) + len(self._style)

    def feed(self, text: str) -> str:
        """Returns what of the next piece of text may be written."""
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
        """Returns what gives the terminal back without colour. The colour comes again with the next text of the same line."""
        if not self._style or self._paused:
            return ""
        self._paused = True
        return RESET

    def _write(self, out: list[str], text: str) -> None:
        if self._returned:
            if self.row_start:  # in no colour of the job's: one of them hides what is written
                out.append(self.pause() + self.row_start)
            self._returned = False
        if self._paused:
            out.append(self._style)
            self._paused = False
        out.append(text)

    def _take(self, char: str, out: list[str]) -> bool:
        """Moves on by one character; False where it is to be looked at again as text."""
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
        """`colour`: a control sequence that may be a colour; `ignored`: one that is none; `intermediate`: an escape with more
        than one character after it.
        """
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
    """Filters one stream of bytes that are UTF-8, or should be: what is none is shown as U+FFFD. A character whose bytes come in
    two pieces is shown with the second. Keeps three bytes, and what its `terminal` keeps.
    """

    def __init__(self, terminal: TerminalFilter) -> None:
        self.terminal = terminal
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> bytes:
        """Returns what of the next piece may be written."""
        return self.terminal.feed(self._decoder.decode(data)).encode()

    def pause(self) -> bytes:
        """As `TerminalFilter.pause`."""
        return self.terminal.pause().encode()


def filtered(text: str, *, colours: bool = True) -> str:
    """Returns a whole text as a terminal may be given it, without colour at its end and without carriage returns."""
    one = TerminalFilter(colours=colours, returns=False)
    return one.feed(text) + one.pause()
