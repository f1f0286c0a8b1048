import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from jobd.docker.images import sidecar_context
from jobd.jobs.port.errors import ImageUnavailable


def test_the_image_holds_the_sidecar_and_the_contract_and_no_more() -> None:
    files = sidecar_context.source_files()
    assert {"sidecar/__main__.py", "jobd/__init__.py", "jobd/wire/report.py"} <= files.keys()
    assert all(path.startswith(("sidecar/", "jobd/wire/", "jobd/__init__.py")) for path in files)
    assert all(path.endswith(".py") for path in files)


def test_both_packages_are_found_with_their_compiled_part() -> None:
    files = sidecar_context.installed_packages()
    assert {"msgspec/__init__.py", "urllib3/__init__.py"} <= files.keys()
    assert any(path.startswith("msgspec/_core") and path.endswith(".so") for path in files)
    assert not any("__pycache__" in path for path in files)


def test_the_digest_is_stable() -> None:
    assert sidecar_context.source_digest() == sidecar_context.source_digest()


def test_the_same_files_make_the_same_tar() -> None:
    one = sidecar_context.tar_of({"b": b"2", "a/c": b"1"})
    assert one == sidecar_context.tar_of({"a/c": b"1", "b": b"2"})
    with tarfile.open(fileobj=io.BytesIO(one)) as archive:
        assert archive.getnames() == ["a/c", "b"]


def test_another_python_cannot_use_the_installed_packages() -> None:
    assert not sidecar_context.fits_here("3.9", "amd64")
    assert not sidecar_context.fits_here("3.9", "arm64")


def test_only_code_is_taken_from_a_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "p.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("p/__init__.py", "x = 1")
        archive.writestr("p/_core.so", b"\x7fELF")
        archive.writestr("p-1.dist-info/RECORD", "")
        archive.writestr("../evil.py", "")
    assert sidecar_context.unpacked(wheel) == {"p/__init__.py": b"x = 1", "p/_core.so": b"\x7fELF"}


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "p.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("p/a.py", b"\0" * (33 * 1024 * 1024))
    with pytest.raises(ImageUnavailable) as caught:
        sidecar_context.unpacked(wheel)
    assert "make images" in caught.value.remedy
