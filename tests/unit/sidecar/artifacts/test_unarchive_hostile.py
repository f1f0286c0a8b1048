"""unarchive against archives made to do harm: those of the corpus, and what a generator makes up. Nothing outside is ever touched."""

import errno
import gzip
import io
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jobd.wire.artifact import Unarchive
from sidecar.artifacts.base import Caps, Context
from sidecar.artifacts.unarchive import transfer
from sidecar.errors import ArtifactError
from sidecar.interrupts import Interrupts
from sidecar.transfer.http import Http
from sidecar.workspace.paths import Workspace
from tests.support.hostile_archives import GZIPPED_REFUSED, HARMLESS, REFUSED, ZIPS_REFUSED, of_mode

ALL_REFUSED = {**REFUSED, **GZIPPED_REFUSED, **ZIPS_REFUSED}
LOOKS = pytest.mark.parametrize("look_first_bytes", [0, 1 << 22], ids=["read once", "looked through"])


def extract(context: Context, root: Path, data: bytes) -> None:
    (root / "in").write_bytes(data)
    transfer(Unarchive(id="u", source="in", out="out"), context)


def untouched(root: Path) -> bool:
    """What lies beside the workspace, and beside the folder in it; and all that is in there is what may be."""
    secret = root.parent / "secret"
    out = root / "out"
    kinds = {stat.S_IFMT(path.lstat().st_mode) for path in out.rglob("*")}
    targets = [path.parent.joinpath(path.readlink()) for path in out.rglob("*") if path.is_symlink()]
    return (
        secret.read_text() == "secret"
        and secret.stat().st_nlink == 1
        and sorted(path.name for path in root.parent.iterdir()) == ["secret", "work"]
        and {path.name for path in root.iterdir()} <= {"in", "out"}
        and kinds <= {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}
        and not list(out.rglob(".sidecar-*"))
        and all(str(resolved(target)).startswith(str(out.resolve())) for target in targets)
    )


def resolved(path: Path) -> Path:
    """The kernel is asked for circles of links, which lead nowhere: Python 3.11 resolves a circle with an empty part (`a -> a//a`) to a path
    below the root folder.
    """
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return path.parent
    return path.resolve()


@LOOKS
@pytest.mark.parametrize("name", ALL_REFUSED)
@pytest.mark.parametrize("pack", [bytes, lambda data: gzip.compress(data, 1)], ids=["plain", "gz"])
def test_a_hostile_archive_is_refused(
    make_context: Callable[..., Context],
    root: Path,
    name: str,
    pack: Callable[[bytes], bytes],
    look_first_bytes: int,
) -> None:
    context = make_context(unarchive_check_first_bytes=look_first_bytes)
    with pytest.raises(ArtifactError, match=r"^in: "):
        extract(context, root, pack(ALL_REFUSED[name]))
    assert untouched(root)


@LOOKS
@pytest.mark.parametrize("name", HARMLESS)
def test_an_odd_archive_is_unpacked_beneath_its_folder(
    make_context: Callable[..., Context], root: Path, name: str, look_first_bytes: int
) -> None:
    extract(make_context(unarchive_check_first_bytes=look_first_bytes), root, HARMLESS[name])
    assert untouched(root)
    assert {path.name for path in (root / "out").iterdir()} <= {"f", "a", "b", "d"}


TAR_KINDS = [
    tarfile.REGTYPE,
    tarfile.DIRTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.FIFOTYPE,
    tarfile.GNUTYPE_SPARSE,
]
ZIP_KINDS = [stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO]
PATHS = st.lists(st.sampled_from(["a", "b", "..", ".", "", "n" * 120]), min_size=1, max_size=4).map("/".join)


def tarred(kinds: list[int], paths: list[tuple[str, str]], format: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for kind, (name, target) in zip(kinds, paths, strict=False):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = TAR_KINDS[kind % len(TAR_KINDS)], target, 0o644
            info.size = 5 if info.isreg() else 0
            archive.addfile(info, io.BytesIO(b"bytes"))
    return out.getvalue()


def zipped(kinds: list[int], paths: list[tuple[str, str]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for kind, (name, target) in zip(kinds, paths, strict=False):
            archive.writestr(of_mode(name or "/", ZIP_KINDS[kind % len(ZIP_KINDS)]), target)
    return out.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("form", ["gnu", "pax", "gz", "zip"])
@given(
    st.lists(st.integers(0, 11), max_size=6),
    st.lists(st.tuples(PATHS, PATHS), min_size=6, max_size=6),
    st.one_of(st.none(), st.tuples(st.integers(0, 4000), st.binary(min_size=1, max_size=6))),
    st.booleans(),
)
@example([2], [("a", "a//a")] * 6, None, False)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_generated_archives_change_nothing_outside(
    interrupts: Interrupts,
    form: str,
    kinds: list[int],
    paths: list[tuple[str, str]],
    damage: tuple[int, bytes] | None,
    looks: bool,
) -> None:
    made = (
        zipped(kinds, paths)
        if form == "zip"
        else tarred(kinds, paths, tarfile.PAX_FORMAT if form == "pax" else tarfile.GNU_FORMAT)
    )
    data = bytearray(made)
    if damage is not None:
        data[damage[0] : damage[0] + len(damage[1])] = damage[1]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "work")
        root.mkdir()
        (root.parent / "secret").write_text("secret")
        facts = root.stat()
        workspace = Workspace(str(root), facts.st_uid, facts.st_gid)
        caps = Caps(unarchive_check_first_bytes=1 << 20 if looks else 0)
        context = Context(
            workspace=workspace,
            interrupts=interrupts,
            http=no_http,
            meter=lambda moved, total: None,
            caps=caps,
        )
        try:
            extract(context, root, gzip.compress(data, 1) if form == "gz" else bytes(data))
        except ArtifactError:
            pass
        finally:
            workspace.close()
        assert untouched(root)


def no_http() -> Http:
    raise AssertionError("no network in unit tests")
