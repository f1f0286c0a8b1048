"""The words of a flag that may be repeated, and may have several words, separated by commas. Pure."""

from collections.abc import Sequence

from jobctl.errors import Misuse

_LONGEST_NUMBER = 9


def words(flag: str, given: Sequence[str], needs: str, field: str | None = None) -> list[str]:
    """Returns the words. `needs`: what each word is; `field`: the flag's field of the spec.

    Raises:
        Misuse: a word is empty, as in `--after "$id"` without a value of `id`: no word would mean the same as no flag.
    """
    found = [part.strip() for text in given for part in text.split(",")]
    if not all(found):
        raise Misuse(f"{flag} needs {needs}", field=field, hint="a variable of the shell may be empty")
    return found


def number_or_word(text: str) -> int | str:
    """Returns the number that decimal digits mean, also after a minus; any other text unchanged."""
    digits = text.removeprefix("-")
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER
    return int(text) if is_number else text
