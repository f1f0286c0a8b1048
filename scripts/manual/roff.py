"""Text as roff: heads, paragraphs, tags and lines in which nothing is taken for a command. Pure.

Must not know what the pages are about.
"""


def title(name: str, number: int, plain: str, summary: str) -> str:
    """Returns the head of a page."""
    return f'.\\" Made by scripts/generate_docs.py.\n.TH {name} {number}\n.SH NAME\n{plain} \\- {escaped(summary)}\n'


def section(name: str) -> str:
    """Returns a section's head."""
    return f".SH {name}\n"


def text(what: str) -> str:
    """Returns paragraphs."""
    return "".join(".PP\n" + line(" ".join(each.split())) for each in what.split("\n\n"))


def option(names: tuple[str, ...], metavar: str, said: str) -> str:
    """Returns one option."""
    return tagged(", ".join(names) + (f" {metavar}" if metavar else ""), said)


def tagged(tag: str, said: str) -> str:
    """Returns a tag and what is said of it."""
    return f".TP\n\\fB{escaped(tag)}\\fR\n{line(said)}"


def line(what: str) -> str:
    """Returns a line that roff takes for text."""
    shown = escaped(what)
    return ("\\&" + shown if shown[:1] in (".", "'") else shown) + "\n"


def escaped(what: str) -> str:
    """Returns text in which roff finds no commands and keeps ASCII hyphens."""
    return what.replace("\\", "\\e").replace("-", "\\-")
