"""What two transcripts of the same commands may differ in: times, durations, sizes that were measured, ports, numbers, progress lines. Pure."""

import re

_VARIABLE = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", "TIME"),
    (r"sha256[:=][0-9a-f]{6,64}", "DIGEST"),
    (r"\b[0-9a-f]{24,64}\b", "HEX"),
    (r"(?<=127\.0\.0\.1:)\d+", "PORT"),
    (r"\b\d+(?:\.\d+)? (?:B|KiB|MiB|GiB|TiB)(?:/s)?(?![\w])", "SIZE"),
    (r"(?<![\w.-])\d+(?:\.\d+)?(?:ms|s|m|h|d)(?:\d+[sm])?(?![\w.-])", "AGE"),
    (r"(?<![\w.])\d+\.\d\d(?= / )", "CPU"),
    (r"\b\d+\.\d+\.\d+\S*", "VERSION"),
    (r"(?<=engine )\S+.*|(?<=engine:).*", "ENGINE"),
    (r"(?m)^\d+(?=\s+(?:start|log|exit|complete)\b)", "NUMBER"),
    (r"(?m)^jobctl: \S+  \d+ of \d+ .*\n", ""),
    (r"\bpid:?\s+\d+", "pid NUMBER"),
    (r"[ \t]+", " "),
)


def normal(text: str) -> str:
    """Returns the text with names in the place of what varies, and single blanks."""
    for pattern, name in _VARIABLE:
        text = re.sub(pattern, name, text)
    return "\n".join(line.strip() for line in text.splitlines())
