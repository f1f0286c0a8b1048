import os
from pathlib import Path

import pytest

from jobd.wire.artifact import List
from sidecar.artifacts.base import Context
from sidecar.artifacts.list import transfer
from sidecar.errors import ArtifactError, Missing


@pytest.fixture
def tree(root: Path) -> Path:
    for path in ("out/b.txt", "out/a/deep/x.tmp", "out/a/deep/y.txt", "out/node_modules/z.txt", ".ready"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    (root / "out/empty").mkdir()
    (root / "out/link").symlink_to("..")
    return root


def test_a_list_is_sorted_and_does_not_follow_links(context: Context, tree: Path) -> None:
    found = transfer(List(id="l", source="out", excludes=["*.tmp", "node_modules"]), context).content
    assert found == ["a/", "a/deep/", "a/deep/y.txt", "b.txt", "empty/", "link"]


def test_a_list_without_recursion_has_one_level(context: Context, tree: Path) -> None:
    found = transfer(List(id="l", source="out/", recursive=False), context).content
    assert found == ["a/", "b.txt", "empty/", "link", "node_modules/"]


def test_the_workspace_itself_without_the_mark_of_the_sidecar(context: Context, tree: Path) -> None:
    assert transfer(List(id="l", source=".", recursive=False), context).content == ["out/"]


def test_an_empty_directory_gives_an_empty_list(context: Context, tree: Path) -> None:
    assert transfer(List(id="l", source="out/empty"), context).content == []


def test_names_that_are_not_utf8_are_text_that_tells_their_bytes(context: Context, root: Path) -> None:
    (root / b"caf\xe9".decode(errors="surrogateescape")).write_text("")
    assert transfer(List(id="l", source="."), context).content == [r"caf\xe9"]


def test_too_many_entries_fail_and_are_not_cut(make_context: object, tree: Path) -> None:
    context = make_context(list_entries=3)  # type: ignore[operator]
    with pytest.raises(ArtifactError, match="more than 3 entries"):
        transfer(List(id="l", source="out"), context)
    assert len(transfer(List(id="l", source="out/a"), context).content) == 3


def test_many_long_names_are_too_large_for_an_event(make_context: object, root: Path) -> None:
    for number in range(20):
        (root / f"{number:0200}").write_text("")
    with pytest.raises(ArtifactError, match="too large for an event"):
        transfer(List(id="l", source="."), make_context(encoded_content_bytes=4000))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("excludes", "left"),
    [
        (["a/*.tmp"], ["a/", "a/deep/", "a/deep/x.tmp", "a/deep/y.txt", "b.txt", "node_modules/"]),
        (["a/**.tmp"], ["a/", "a/deep/", "a/deep/x.tmp", "a/deep/y.txt", "b.txt", "node_modules/"]),
        (["a/deep/*.tmp"], ["a/", "a/deep/", "a/deep/y.txt", "b.txt", "node_modules/"]),
        (["a/*/*.tmp"], ["a/", "a/deep/", "a/deep/y.txt", "b.txt", "node_modules/"]),
        (["a/deep"], ["a/", "b.txt", "node_modules/"]),
        (["*/deep/"], ["a/", "b.txt", "node_modules/"]),
        (["deep/*.tmp"], ["a/", "a/deep/", "a/deep/x.tmp", "a/deep/y.txt", "b.txt", "node_modules/"]),
        (["b.txt/", "deep"], ["a/", "b.txt", "node_modules/"]),
        (["[^ab]*"], ["a/", "b.txt"]),
        (["[!ab]*"], ["a/", "b.txt"]),
    ],
)
def test_a_glob_with_a_slash_matches_the_path(
    context: Context, tree: Path, excludes: list[str], left: list[str]
) -> None:
    always = ["z.txt", "empty", "link"]
    assert transfer(List(id="l", source="out", excludes=[*excludes, *always]), context).content == left


def test_globs_apply_also_without_recursion(context: Context, tree: Path) -> None:
    listed = List(id="l", source="out", recursive=False, excludes=["node_modules/", "a/deep", "[be]*"])
    assert transfer(listed, context).content == ["a/", "link"]


def test_a_name_that_is_no_utf8_is_excluded_by_its_escape(context: Context, root: Path) -> None:
    (root / b"caf\xe9\\.txt".decode(errors="surrogateescape")).write_text("")
    told = transfer(List(id="l", source="."), context).content
    assert told == [r"caf\xe9\\.txt"]
    assert transfer(List(id="l", source=".", excludes=told), context).content == []


def test_the_name_of_a_file_is_all_that_it_lists(context: Context, tree: Path) -> None:
    os.mkfifo(tree / "out/fifo")
    for path, name in (("out/b.txt", "b.txt"), ("out/a/deep/./x.tmp", "x.tmp"), ("out/fifo", "fifo")):
        for recursive in (True, False):
            assert transfer(List(id="l", source=path, recursive=recursive), context).content == [name]
        assert transfer(List(id="l", source=path, excludes=["*"]), context).content == []
        assert transfer(List(id="l", source=path, excludes=["out/*", "other"]), context).content == [name]


def test_a_link_and_a_missing_path_cannot_be_listed(context: Context, tree: Path) -> None:
    for path, kind in (("out/link", ArtifactError), ("none", Missing), ("out/b.txt/x", ArtifactError)):
        with pytest.raises(kind):
            transfer(List(id="l", source=path), context)


def test_a_glob_that_cannot_be_read_fails_by_its_place(context: Context, tree: Path) -> None:
    with pytest.raises(ArtifactError, match=r"excludes\[1\]"):
        transfer(List(id="l", source="out", excludes=["a", "[b"]), context)


def test_a_deep_tree_is_walked_without_running_out_of_descriptors(context: Context, root: Path) -> None:
    (root / "/".join("d" * 400)).mkdir(parents=True)
    assert len(transfer(List(id="l", source="."), context).content) == 400
