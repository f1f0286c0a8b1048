r"""Names that are no text: whatever a file is called, its report arrives and says the name in the one escape.

Runs over a real folder, with reports as the bytes that go out. `decode_report` raises where jobd could not read one.
"""

import gzip
import io
import os
import signal
import tarfile
import zipfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jobd.wire.artifact import Archive, Artifact, List, Read, Unarchive, Upload, Write
from jobd.wire.files.filenames import escape, unescape
from jobd.wire.report import ArtifactDone, Done, InputsFailed, Ready, Report, decode_report
from sidecar.artifacts.base import Context
from sidecar.interrupts import Interrupts
from sidecar.plan import make_plan
from sidecar.reporting.report import Reports
from sidecar.runner import Run
from sidecar.workspace.paths import Workspace

LATIN = b"caf\xe9.txt"
SHOWN = r"caf\xe9.txt"
NAMES = (
    st.binary(min_size=1, max_size=12)
    .map(lambda name: name.replace(b"\0", b"\\").replace(b"/", b"\xe9"))
    .filter(lambda name: name not in (b".", b"..", b".ready"))
)


def run(context: Context, *artifacts: Artifact) -> dict[str, ArtifactDone]:
    """Runs the artifacts as the program does and returns what jobd reads of each; every report must be there."""
    interrupts = Interrupts()
    interrupts.install()
    lines: list[bytes] = []
    said: list[Report] = []

    def write(line: bytes) -> None:
        lines.append(line)
        said.append(decode_report(line))
        if isinstance(said[-1], Ready):
            os.kill(os.getpid(), signal.SIGUSR1)

    try:
        Run(
            make_plan(artifacts),
            context.workspace,
            interrupts,
            Reports(interrupts, write),
            lambda meter: context,
            5.0,
        ).run()
    finally:
        interrupts.uninstall()
    assert all(line.isascii() for line in lines)
    assert [report.n for report in said] == list(range(1, len(said) + 1))
    assert isinstance(said[-1], Done | InputsFailed)
    return {report.artifact_id: report for report in said if isinstance(report, ArtifactDone)}


@pytest.fixture
def root_bytes(root: Path) -> bytes:
    return os.fsencode(root)


def here(path: bytes) -> Path:
    return Path(os.fsdecode(path))


def put(path: bytes, content: bytes = b"x") -> None:
    here(path).write_bytes(content)


def test_a_list_has_escaped_names(context: Context, root_bytes: bytes) -> None:
    put(root_bytes + b"/" + LATIN)
    put(root_bytes + rb"/back\slash")
    done = run(context, List(id="l", source=".", depends="job"))["l"]
    assert (done.status, done.content) == ("success", [r"back\\slash", SHOWN])


def test_a_failure_names_the_path(context: Context, root_bytes: bytes) -> None:
    here(root_bytes + b"/out").mkdir()
    os.mkfifo(root_bytes + b"/out/" + LATIN)
    done = run(context, Archive(id="a", source="out", out="x.tgz", depends="job"))["a"]
    assert (done.status, done.error) == (
        "failed",
        rf"out/{SHOWN}: is a FIFO, which an archive cannot contain",
    )


def test_a_spec_names_a_path_by_its_escape(context: Context, root: Path, root_bytes: bytes) -> None:
    put(root_bytes + b"/" + LATIN, b'{"n":1}')
    put(root_bytes + rb"/a\b", b"back")
    done = run(
        context,
        Read(id="r", source=SHOWN, depends="job"),
        Read(id="doubled", source=r"a\\b", depends="job"),
        Read(id="single", source=r"a\b", depends="job"),
        Read(id="none", source=r"no\xff", depends="job"),
        Read(id="none-such", source=r"no\such", depends="job"),
        Archive(id="a", source=SHOWN, out=r"d\xe9/x.tgz", depends="job"),
        Upload(id="u", source=r"no\xff", out="http://127.0.0.1/x", depends="a"),
        Write(id="w", source="text", out=r"w\xff", depends="job"),
        List(id="l", source=r"d\xe9", depends="a"),
        Unarchive(id="e", source=r"d\xe9/x.tgz", out=r"e\xe9", depends="a"),
    )
    assert done["r"].content == {"n": 1}
    assert (done["doubled"].content, done["single"].content) == ("back", "back")
    assert str(done["none"].error).startswith(
        r"no\xff: does not exist in the workspace; the workspace holds "
    )
    assert str(done["none-such"].error).startswith(r"no\\such: does not exist in the workspace; ")
    assert r"caf\xe9.txt" in str(done["none"].error)
    assert done["l"].content == ["x.tgz"]
    assert {id for id, each in done.items() if each.status == "failed"} == {"none", "none-such", "u"}
    assert here(root_bytes + b"/w\xff").read_text() == "text"
    assert here(root_bytes + b"/e\xe9/" + LATIN).read_bytes() == b'{"n":1}'


def test_no_escape_leads_out(context: Context, root: Path) -> None:
    done = run(
        context,
        Read(id="up", source=r"\x2e\x2e/secret", depends="job"),
        Read(id="slash", source=r"..\x2fsecret", depends="job"),
    )
    assert [each.status for each in done.values()] == ["failed", "failed"]
    assert not any(each.content == "secret" for each in done.values())


@pytest.mark.parametrize("pax", [True, False])
def test_a_failing_archive_names_the_member(
    context: Context, root: Path, root_bytes: bytes, pax: bool
) -> None:
    name = os.fsdecode(LATIN)
    with tarfile.open(root / "in.tar", "w", format=tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo(name)
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    here(root_bytes + b"/out").mkdir()
    here(root_bytes + b"/out/" + LATIN).mkdir()
    put(root_bytes + b"/out/" + LATIN + b"/y")
    done = run(context, Unarchive(id="u", source="in.tar", out="out"))["u"]
    assert done.status == "failed"
    assert done.error == rf"in.tar: out/{SHOWN}: is a directory"


@pytest.mark.parametrize(
    "member",
    [b"/caf\xe9", b"../caf\xe9", b"dev-caf\xe9"],
)
def test_a_refused_member_is_named(context: Context, root: Path, member: bytes) -> None:
    with tarfile.open(root / "in.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo(os.fsdecode(member))
        info.type = tarfile.CHRTYPE if member.startswith(b"dev") else tarfile.REGTYPE
        tar.addfile(info)
    done = run(context, Unarchive(id="u", source="in.tar", out="out"))["u"]
    assert done.status == "failed"
    assert escape(member) in (done.error or "")


def zipped(path: Path, name: bytes, system: int) -> None:
    """A zip whose member's name is these bytes, without the mark for UTF-8, as Info-ZIP writes it."""
    stand_in = "n" * len(name)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        info = zipfile.ZipInfo(stand_in)
        info.create_system = system
        archive.writestr(info, b"zipped")
    path.write_bytes(packed.getvalue().replace(stand_in.encode(), name))


@pytest.mark.parametrize(
    ("system", "name", "becomes"),
    [
        (3, LATIN, LATIN),
        (3, "é".encode(), "é".encode()),
        (0, b"caf\x82.txt", "café.txt".encode()),  # DOS: code page 437, as the format's specification has it
    ],
)
def test_a_zip_of_unix_keeps_the_bytes(
    context: Context, root: Path, root_bytes: bytes, system: int, name: bytes, becomes: bytes
) -> None:
    zipped(root / "in.zip", name, system)
    assert run(context, Unarchive(id="u", source="in.zip", out="out"))["u"].error is None
    assert [os.fsencode(each.name) for each in here(root_bytes + b"/out").iterdir()] == [becomes]


TREE = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@TREE
@given(st.sets(NAMES, max_size=4))
@example({LATIN, "café".encode(), b"a\\b", b"\xff" * 200})
@example({b"\xed\xb3\xa9"})
def test_all_names_are_listed_and_survive_an_archive(
    context: Context, tmp_path_factory: pytest.TempPathFactory, names: set[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("names")
    base = os.fsencode(folder)
    here(base + b"/out").mkdir()
    for name in names:
        here(base + b"/out/" + name).mkdir()
        put(base + b"/out/" + name + b"/" + name, name)
        here(base + b"/out/" + name + b"/link.to").symlink_to(os.fsdecode(name))
    workspace = Workspace(str(folder), os.getuid(), os.getgid())
    try:
        done = run(
            msgspec.structs.replace(context, workspace=workspace),
            List(id="l", source="out", depends="job"),
            Archive(id="a", source="out", out="x.tgz", depends="l"),
            Unarchive(id="u", source="x.tgz", out="back", depends="a"),
            *(
                Read(id=f"r{index}", source=f"back/{escape(name)}/{escape(name)}", depends="u")
                for index, name in enumerate(sorted(names))
            ),
            *(
                Read(id=f"f{index}", source=f"back/{escape(name)}", depends="u")
                for index, name in enumerate(sorted(names))
            ),
        )
    finally:
        workspace.close()
    told = {unescape(path) for path in done["l"].content}
    assert told == {each for name in names for each in (name + b"/", name + b"/" + name, name + b"/link.to")}
    assert all(done[f"r{index}"].status == "success" for index in range(len(names)))
    for index, name in enumerate(sorted(names)):
        assert unescape(
            (done[f"f{index}"].error or "").removesuffix(": is a directory, not a regular file")
        ) == (b"back/" + name)
        assert here(base + b"/back/" + name + b"/link.to").readlink() == here(name)
    with gzip.open(folder / "x.tgz") as packed, tarfile.open(fileobj=packed) as tar:
        assert {os.fsencode(member.name) for member in tar if member.isdir()} == names
