"""The pages of `docs/cli` from what was seen. Pure."""

from collections.abc import Mapping

from scripts.transcripts.normal import normal
from scripts.transcripts.scenes import PAGES
from scripts.transcripts.step import Page, Step
from scripts.transcripts.terminal import Seen

NARROW, WIDE, PIPE = "80 x 24", "120 x 40", "a pipe"
MOST_STYLES = 12

Views = Mapping[str, Seen]
"""What one step showed: on each terminal, and in a pipe."""


def page_text(page: Page, seen: Mapping[int, Views]) -> str:
    """Returns a page. `seen`: by the number of the step."""
    parts = [f"# {page.title}\n"]
    for number, step in enumerate(page.steps):
        if not step.hidden:
            parts += _step(step, seen[number])
    return "\n".join(parts)


def _step(step: Step, views: Views) -> list[str]:
    narrow = views[NARROW]
    parts = [step.says + "\n"] if step.says else []
    parts.append(_block(step.command, narrow.text))
    if narrow.styles:
        named = [f"`{word}` {style}" for word, style in narrow.styles[:MOST_STYLES]]
        parts.append(f"Colours: {', '.join(named)}.\n")
    for name in (WIDE, PIPE):
        view = views.get(name)
        if view is not None and normal(view.text) != normal(narrow.text):
            parts += [
                f"On a terminal of {name}:\n" if name == WIDE else f"In {name}:\n",
                _block("", view.text),
            ]
    return parts


def _block(command: str, text: str) -> str:
    lines = ["```console", *([f"$ {command}"] if command else []), *([text] if text else []), "```", ""]
    return "\n".join(lines)


def index_text() -> str:
    """Returns the page that lists the others."""
    rows = [f"| [{page.name}.md]({page.name}.md) | {page.title} |" for page in PAGES]
    return "\n".join(
        [
            "# What jobctl prints",
            "",
            "`make transcripts` runs these commands against a real jobd and engine, and writes what a user sees: on a terminal of 80 columns and 24",
            "lines (`TERM=xterm-256color`), on one of 120 columns and 40 lines where the text differs, and in a pipe where the text differs. Long lines",
            "are shown whole; a terminal wraps them. Colours are listed below a screen. With `NO_COLOR` the text is the same without colours; the script",
            "checks that. `make transcripts-check` runs the commands again and compares the texts; times, durations, sizes and ports may differ.",
            "",
            "| page | |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def page_normal(text: str) -> str:
    """Returns the part of a page that a repeated run must give again: without screens that differ from machine to machine."""
    varying = [f"$ {step.command}" for page in PAGES for step in page.steps if step.varies]
    blocks = text.split("```console\n")
    kept, skipping = [blocks[0]], False
    for block in blocks[1:]:
        if block.startswith("$ "):
            skipping = block.startswith(tuple(varying))
        if not skipping:
            kept.append(block)
        elif block.startswith("$ "):
            kept.append(block.split("\n")[0] + "\n")
    return normal("```console\n".join(kept))
