"""Text as roff: titles, sections, paragraphs, tags and escaped lines. Pure."""


def title(name: str, number: int, plain: str, summary: str) -> str:
    """Returns the beginning of a page."""
    return f'.\\" Made by scripts/generate_docs.py.\n.TH {name} {number}\n.SH NAME\n{plain} \\- {escaped(summary)}\n'


def section(name: str) -> str:
    """Returns the title of a section."""
    return f".SH {name}\n"


def text(what: str) -> str:
    """Returns paragraphs."""
    return "".join(".PP\n" + line(" ".join(each.split())) for each in what.split("\n\n"))


def option(names: tuple[str, ...], metavar: str, description: str) -> str:
    """Returns one option."""
    return tagged(", ".join(names) + (f" {metavar}" if metavar else ""), description)


def tagged(tag: str, description: str) -> str:
    """Returns a tag with its description."""
    return f".TP\n\\fB{escaped(tag)}\\fR\n{line(description)}"


def line(what: str) -> str:
    """Returns a line of text."""
    shown = escaped(what)
    return ("\\&" + shown if shown[:1] in (".", "'") else shown) + "\n"


def escaped(what: str) -> str:
    """Returns escaped text, with ASCII hyphens."""
    return what.replace("\\", "\\e").replace("-", "\\-")
