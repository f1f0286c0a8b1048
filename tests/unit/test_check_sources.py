"""What a docstring may cite as its source."""

from pathlib import Path

import pytest

from scripts.check_sources import citations, docstrings, problem, problems

ROOT = Path(__file__).resolve().parents[2]


def test_citations_end_with_their_paragraph() -> None:
    text = 'Does it.\n\nSource: RFC 9110, 10.2.3\n(Retry-After); docs/events.md, "Batches".\n\nMore: a; b.'
    assert citations(text) == ["RFC 9110, 10.2.3 (Retry-After)", 'docs/events.md, "Batches"']
    assert citations("Nothing of it.") == []


@pytest.mark.parametrize(
    ("citation", "why"),
    [
        ("RFC 9110, 10.2.3", None),
        ("openat2(2), Linux 5.6", None),
        ("Docker Engine API, ContainerCreate", None),
        ("docs/events.md", None),
        ('docs/events.md, "What an answer means"', None),
        ('man/jobctl.1, "EXIT STATUS"', None),
        ('docs/events.md, "What nobody wrote"', "has no heading"),
        ("docs/contract.md", "there is no docs/contract.md"),
        ('table "Events" of the wire contract', "neither"),
        ("the engine's own rules", "neither"),
        ("", "neither"),
    ],
)
def test_a_citation_can_be_opened_or_is_named(citation: str, why: str | None) -> None:
    found = problem(citation, ROOT)
    assert (found is None) if why is None else (why in (found or ""))


def test_docstrings_of_all_kinds_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(
        '"""M. Source: x."""\nC = 1\n"""C. Source: x."""\n\n\ndef f():\n    """F.\n\n    Source: x.\n    """\n'
    )
    assert len(list(docstrings(file.read_text()))) == 3
    assert len(list(problems(tmp_path, [file]))) == 3
