"""What members may be called and where links may lead."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.archive_readers.member import BadArchive, Contents, check_symlink, name_parts


@pytest.mark.parametrize("name", ["", "/", "/etc/passwd", "../x", "a/../x", "a/..", "a\0b"])
def test_names_that_leave_are_refused(name: str) -> None:
    with pytest.raises(BadArchive):
        name_parts(name)


def test_names_are_split_into_parts() -> None:
    assert name_parts("./a//b/./c/") == ("a", "b", "c")
    assert name_parts("./") == ()
    assert name_parts("..a/...") == ("..a", "...")


@pytest.mark.parametrize("target", ["", "/etc/passwd", "../..", "../../x", "x/../y", "../x/..", "a\0"])
def test_links_that_may_lead_out_are_refused(target: str) -> None:
    with pytest.raises(BadArchive):
        check_symlink(("d", "link"), target)


@pytest.mark.parametrize("target", ["x", "./x", "../x", "..", "a/b/c", "../other/x"])
def test_links_within_are_accepted(target: str) -> None:
    check_symlink(("d", "link"), target)


STEPS = st.sampled_from(["..", ".", "a", "b"])


@given(
    st.dictionaries(
        st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map(tuple),
        st.lists(STEPS, min_size=1, max_size=5).map("/".join),
        max_size=5,
    ),
    st.lists(STEPS, min_size=1, max_size=6),
)
def test_no_chain_of_accepted_links_leads_out(links: dict[tuple[str, ...], str], walk: list[str]) -> None:
    """Walks as a kernel does, from the root of the extraction; a link's parents must be real directories, as in extraction."""
    placed: dict[tuple[str, ...], str] = {}
    for place, target in links.items():
        if any(place[:depth] in links for depth in range(1, len(place))):
            continue
        try:
            check_symlink(place, target)
        except BadArchive:
            continue
        placed[place] = target
    at: list[str] = []
    todo = [step for step in walk if step != ".."]  # the walker itself does not leave
    for _ in range(60):
        if not todo:
            break
        step = todo.pop(0)
        if step == "..":
            assert at, "left the extraction"
            at.pop()
        elif step != ".":
            at.append(step)
            if tuple(at) in placed:
                target = placed[tuple(at)]
                at.pop()
                todo = [*target.split("/"), *todo]
    assert not posixpath.normpath("/".join(at) or ".").startswith("..")


def contents(wanted: str, *names: str) -> Contents:
    seen = Contents(name_parts(wanted))
    for name in names:
        seen.add(name_parts(name), "directory" if name.endswith("/") else "file")
    return seen


@pytest.mark.parametrize(
    ("names", "folder"),
    [
        (["root-1/", "root-1/src/x"], ("root-1", "src")),
        (["root-1/src/x", "root-1/y"], ("root-1", "src")),
        (["root-1/src/"], ("root-1", "src")),
        (["src/x", "other/y"], ("src",)),
        (["src/x", "README"], ("src",)),
        (["src/x"], ("src",)),
        (["src/src/x"], ("src", "src")),
        (["./", "./r/src/x"], ("r", "src")),
    ],
)
def test_the_folder_is_found_below_the_single_root_or_at_the_top(
    names: list[str], folder: tuple[str, ...]
) -> None:
    assert contents("src", *names).folder() == folder


@pytest.mark.parametrize(
    "names", [[], ["root/x"], ["root/src"], ["a/src/x", "b/y"], ["root/src/x", "README"]]
)
def test_a_missing_folder_is_an_error(names: list[str]) -> None:
    with pytest.raises(BadArchive, match="no folder 'src'"):
        contents("src", *names).folder()
