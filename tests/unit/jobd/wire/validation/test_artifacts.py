"""Every row of the artifact table: fields and dependencies; refusals name the artifact's index."""

from collections.abc import Callable
from typing import Any

import pytest

from jobd.wire.artifact import Archive, Download, JobFiles, List, Read, Unarchive, Upload, Write
from jobd.wire.job import JobSpec
from jobd.wire.problem import Problem

Accept = Callable[..., JobSpec]
Refuse = Callable[..., list[Problem]]

MINIMAL: dict[str, dict[str, Any]] = {
    "download": {"in": "http://h/f", "out": "f"},
    "write": {"in": "text", "out": "f"},
    "unarchive": {"in": "a.tar.gz", "out": "dir"},
    "upload": {"in": "f", "out": "https://h/f"},
    "read": {"in": "f"},
    "archive": {"in": "dir", "out": "a.tar.gz"},
    "list": {"in": "."},
    "job": {"job": "earlier", "in": "results", "out": "data"},
}
OUTPUTS = ("upload", "read", "archive")


def artifact(kind: str, **fields: Any) -> dict[str, Any]:
    made = {"id": "a", "type": kind, **MINIMAL[kind], **fields}
    return {name: value for name, value in made.items() if value is not ...}


def test_the_required_fields_of_each_kind_suffice(accept: Accept) -> None:
    made = accept(
        artifacts=[artifact(kind, id="files" if kind == "job" else kind) for kind in MINIMAL]
    ).artifacts
    assert made == [
        Download(id="download", source="http://h/f", out="f", sha256=None, max_bytes=None),
        Write(id="write", source="text", out="f", mode=None),
        Unarchive(id="unarchive", source="a.tar.gz", out="dir", subdir=None),
        Upload(id="upload", source="f", out="https://h/f", when="success", optional=False),
        Read(id="read", source="f", when="success", optional=False),
        Archive(id="archive", source="dir", out="a.tar.gz", format="tar.gz", when="success", optional=False),
        List(id="list", source=".", recursive=True, excludes=[]),
        JobFiles(id="files", job="earlier", source="results", out="data"),
    ]
    assert all(a.depends is None for a in made)


@pytest.mark.parametrize("kind", MINIMAL)
def test_each_kind_needs_its_fields(refuse: Refuse, kind: str) -> None:
    for name in ("id", *MINIMAL[kind]):
        assert refuse(artifacts=[artifact(kind, **{name: ...})]) == [
            Problem(f"artifacts[0].{name}", "is required")
        ]


@pytest.mark.parametrize("kind", MINIMAL)
@pytest.mark.parametrize("name", ["id", "in", "out", "depends"])
def test_each_kind_accepts_text_in_its_fields(refuse: Refuse, kind: str, name: str) -> None:
    if name in ("id", "depends", *MINIMAL[kind]):
        assert [p.field for p in refuse(artifacts=[artifact(kind, **{name: 5})])] == [f"artifacts[0].{name}"]


@pytest.mark.parametrize("kind", MINIMAL)
def test_only_outputs_have_when_and_optional(accept: Accept, refuse: Refuse, kind: str) -> None:
    for name, value in (("when", "always"), ("optional", True)):
        if kind in OUTPUTS:
            made = accept(artifacts=[artifact(kind, **{name: value})]).artifacts[0]
            assert getattr(made, name) == value
        else:
            assert [p.field for p in refuse(artifacts=[artifact(kind, **{name: value})])] == [
                f"artifacts[0].{name}"
            ]


@pytest.mark.parametrize("value", ["success", "failure", "always"])
def test_when_is_one_of_three(accept: Accept, refuse: Refuse, value: str) -> None:
    made = accept(artifacts=[artifact("read", when=value)]).artifacts[0]
    assert isinstance(made, Read)
    assert made.when == value
    assert [p.field for p in refuse(artifacts=[artifact("read", when=value.upper())])] == [
        "artifacts[0].when"
    ]


@pytest.mark.parametrize(("value", "field"), [("nope", "type"), ("", "type"), (5, "type"), (None, "type")])
def test_an_unknown_kind_is_refused_with_the_list_of_kinds(refuse: Refuse, value: object, field: str) -> None:
    found = refuse(artifacts=[artifact("read"), {"id": "b", "type": value}])
    assert [p.field for p in found] == [f"artifacts[1].{field}"]


def test_the_remedy_for_an_unknown_kind_names_all_kinds(refuse: Refuse) -> None:
    message = refuse(artifacts=[{"id": "b", "type": "nope"}])[0].message
    assert all(kind in message for kind in MINIMAL)


@pytest.mark.parametrize("value", [{"a": 1}, "x", [5], [None], [[]]])
def test_artifacts_are_a_list_of_objects(refuse: Refuse, value: object) -> None:
    assert refuse(artifacts=value)[0].field.startswith("artifacts")


def test_sixty_four_artifacts_are_accepted_and_one_more_is_not(accept: Accept, refuse: Refuse) -> None:
    many = [artifact("read", id=f"a{n}") for n in range(65)]
    assert len(accept(artifacts=many[:64]).artifacts) == 64
    assert [p.field for p in refuse(artifacts=many)] == ["artifacts"]


@pytest.mark.parametrize("value", ["", "-a", "a.b", "a/b", "a" * 129, "job"])
def test_an_artifacts_id_is_refused(refuse: Refuse, value: str) -> None:
    assert [p.field for p in refuse(artifacts=[artifact("read", id=value)])] == ["artifacts[0].id"]


def test_artifact_ids_are_unique(refuse: Refuse) -> None:
    found = refuse(artifacts=[artifact("read"), artifact("list", id="b"), artifact("write")])
    assert [p.field for p in found] == ["artifacts[2].id"]
    assert "used twice" in found[0].message


@pytest.mark.parametrize(
    "url", ["", "f", "ftp://h/f", "http://", "file:///etc/passwd", "http://h:99999/", "http://h/ x"]
)
@pytest.mark.parametrize(("kind", "name"), [("download", "in"), ("upload", "out")])
def test_a_transfer_needs_an_http_url(refuse: Refuse, kind: str, name: str, url: str) -> None:
    assert [p.field for p in refuse(artifacts=[artifact(kind, **{name: url})])] == [f"artifacts[0].{name}"]


@pytest.mark.parametrize(
    ("kind", "fields", "field"),
    [
        ("download", {"sha256": "0" * 63}, "sha256"),
        ("download", {"sha256": "g" * 64}, "sha256"),
        ("download", {"sha256": "0" * 65}, "sha256"),
        ("download", {"maxBytes": 0}, "maxBytes"),
        ("download", {"maxBytes": -1}, "maxBytes"),
        ("download", {"maxBytes": "5"}, "maxBytes"),
        ("write", {"mode": "888"}, "mode"),
        ("write", {"mode": "4755"}, "mode"),
        ("write", {"mode": "0o644"}, "mode"),
        ("write", {"mode": 420}, "mode"),
        ("archive", {"format": "zip"}, "format"),
        ("list", {"recursive": "yes"}, "recursive"),
        ("list", {"excludes": "x"}, "excludes"),
        ("list", {"excludes": ["ok", ""]}, "excludes[1]"),
        ("list", {"excludes": ["x" * 256]}, "excludes[0]"),
        ("list", {"excludes": ["\0"]}, "excludes[0]"),
        ("list", {"excludes": ["[a"]}, "excludes[0]"),
        ("list", {"excludes": ["ok", "a\\"]}, "excludes[1]"),
        ("list", {"excludes": ["[z-a]"]}, "excludes[0]"),
        ("list", {"excludes": ["/a"]}, "excludes[0]"),
        ("list", {"excludes": ["a//b"]}, "excludes[0]"),
        ("list", {"excludes": ["./a"]}, "excludes[0]"),
        ("list", {"excludes": ["a/../b"]}, "excludes[0]"),
        ("list", {"excludes": ["/"]}, "excludes[0]"),
    ],
)
def test_an_option_is_refused(refuse: Refuse, kind: str, fields: dict[str, Any], field: str) -> None:
    assert [p.field for p in refuse(artifacts=[artifact(kind, **fields)])] == [f"artifacts[0].{field}"]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("download", {"sha256": "aF" * 32, "maxBytes": 1}),
        ("write", {"mode": "0644", "in": ""}),
        ("write", {"mode": "755"}),
        ("unarchive", {"subdir": "a/b"}),
        ("archive", {"format": "tar.gz"}),
        ("list", {"recursive": False, "excludes": ["*.pyc", "x" * 255]}),
        (
            "list",
            {"excludes": ["d/*.log", "d/e", "a/**/b", "c/", "[]a-]", "[!x]", "\\[", "caf\\xe9", ".*", "..."]},
        ),
    ],
)
def test_an_option_is_accepted(accept: Accept, kind: str, fields: dict[str, Any]) -> None:
    assert len(accept(artifacts=[artifact(kind, **fields)]).artifacts) == 1


def chain(*pairs: tuple[str, str | None]) -> list[dict[str, Any]]:
    return [artifact("read", id=name, **({"depends": on} if on else {})) for name, on in pairs]


def test_dependencies_are_accepted_in_any_order(accept: Accept) -> None:
    assert (
        len(accept(artifacts=chain(("c", "b"), ("b", "a"), ("a", "job"), ("d", None), ("e", "d"))).artifacts)
        == 5
    )


@pytest.mark.parametrize("name", ["nope", " ", "Job", "JOB"])
def test_a_dependency_on_an_unknown_artifact_is_refused(refuse: Refuse, name: str) -> None:
    found = refuse(artifacts=[artifact("read", depends=name)])
    assert [p.field for p in found] == ["artifacts[0].depends"]
    assert "neither" in found[0].message


def test_a_cycle_is_refused_at_each_member_and_printed(refuse: Refuse) -> None:
    found = refuse(artifacts=chain(("a", "b"), ("b", "c"), ("c", "a"), ("ok", "job")))
    assert [p.field for p in found] == [
        "artifacts[0].depends",
        "artifacts[1].depends",
        "artifacts[2].depends",
    ]
    assert found[0].message == "depends on itself: a -> b -> c -> a"


def test_an_artifact_that_depends_on_itself_is_refused(refuse: Refuse) -> None:
    assert [p.message for p in refuse(artifacts=chain(("a", "a")))] == ["depends on itself: a -> a"]


@pytest.mark.parametrize("job", ["", "-a", "a/b", "../a", "@last", "a" * 129, "a\n", "é"])
def test_files_of_a_job_name_the_job_by_its_id(refuse: Refuse, job: str) -> None:
    assert [p.field for p in refuse(artifacts=[artifact("job", job=job)])] == ["artifacts[0].job"]


def test_a_job_takes_no_files_of_itself(refuse: Refuse) -> None:
    found = refuse(id="me", artifacts=[artifact("job", job="me")])
    assert found == [Problem("artifacts[0].job", "a job cannot take files of its own workspace")]


@pytest.mark.parametrize("out", [".", "dir/", "./", "a/b"])
def test_files_of_a_job_go_to_a_file_or_into_a_folder(accept: Accept, out: str) -> None:
    assert len(accept(artifacts=[artifact("job", out=out)]).artifacts) == 1


def test_files_of_a_job_are_inputs(refuse: Refuse, accept: Accept) -> None:
    """Directly or through others, they cannot come after the command; they may come after another input."""
    found = refuse(
        artifacts=[
            artifact("job", id="direct", depends="job"),
            artifact("read", id="r", depends="job"),
            artifact("job", id="behind", depends="r"),
        ]
    )
    assert [p.field for p in found] == ["artifacts[0].depends", "artifacts[2].depends"]
    accept(artifacts=[artifact("write", id="w"), artifact("job", id="j", depends="w")])
