"""Builds build/jobd_VERSION_ARCHITECTURE.deb for Debian 12: jobd with all its libraries, which needs no network to be installed.

    python -m scripts.deb

Owns the places of the files. `tree.py` has the Python packages; deploy/debian has what Debian needs. The same sources give the same bytes.
"""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from jobctl.daemon.units import NAMES, unit_text
from scripts.deb.tree import ROOT, install_tree
from scripts.images.packages import Failed, run

DEBIAN = ROOT / "deploy" / "debian"
OUT = ROOT / "build"
HOME = "usr/lib/jobd"
REVISION = 1
LAUNCHERS = {"jobd": "jobd.__main__", "jobctl": "jobctl.entry"}
LAUNCHER = """\
#!/usr/bin/python3 -IS
import sys

sys.path.insert(0, "/usr/lib/jobd")
from {module} import main

main()
"""
"""Without `site` and the user's packages: everything that jobd needs is in one folder."""
COPIES = {
    "completions/jobctl.bash": "usr/share/bash-completion/completions/jobctl",
    "completions/_jobctl": "usr/share/zsh/vendor-completions/_jobctl",
    "completions/jobctl.fish": "usr/share/fish/vendor_completions.d/jobctl.fish",
    "deploy/debian/sysusers.conf": "usr/lib/sysusers.d/jobd.conf",
    "deploy/debian/tmpfiles.conf": "usr/lib/tmpfiles.d/jobd.conf",
    "deploy/debian/copyright": "usr/share/doc/jobd/copyright",
    "deploy/debian/lintian-overrides": "usr/share/lintian/overrides/jobd",
}
COMPRESSED = {
    "man/jobctl.1": "usr/share/man/man1/jobctl.1.gz",
    "man/job.5": "usr/share/man/man5/job.5.gz",
    "man/jobd.8": "usr/share/man/man8/jobd.8.gz",
    "CHANGELOG.md": "usr/share/doc/jobd/changelog.gz",
}
SCRIPTS = ("postinst", "prerm", "postrm")


def version() -> str:
    """Returns the version of the Debian package."""
    return f"{tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['version']}-{REVISION}"


def architecture() -> str:
    """Returns Debian's name of this machine's architecture."""
    done = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True, timeout=10
    )
    return done.stdout.strip()


def epoch() -> int:
    """Returns the time of all files: of the last commit, or what SOURCE_DATE_EPOCH says."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    done = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, timeout=10
    )
    return int(done.stdout or 0)


def lay_out(root: Path, arch: str, when: int) -> None:
    """Writes all files of the package below `root`."""
    install_tree(root / HOME, arch)
    for program, module in LAUNCHERS.items():
        write(root / "usr/bin" / program, LAUNCHER.format(module=module).encode(), 0o755)
    for kind in ("user", "system"):
        for name in NAMES:
            text = unit_text(kind, name, "/usr/bin/jobd").partition("\n")[2]
            write(root / "usr/lib/systemd" / kind / name, text.encode())
    for source, target in COPIES.items():
        write(root / target, (ROOT / source).read_bytes())
    for source, target in COMPRESSED.items():
        write(root / target, gzip.compress((ROOT / source).read_bytes(), mtime=0))
    write(root / "usr/share/doc/jobd/changelog.Debian.gz", gzip.compress(changelog(when).encode(), mtime=0))


def changelog(when: int) -> str:
    """Returns Debian's changelog, which refers to the project's own."""
    from datetime import UTC, datetime
    from email.utils import format_datetime

    (maintainer,) = re.findall(r"^Maintainer: (.*)$", (DEBIAN / "control").read_text(), re.MULTILINE)
    date = format_datetime(datetime.fromtimestamp(when, UTC))
    return f"jobd ({version()}) unstable; urgency=medium\n\n  * The changes are in changelog.gz.\n\n -- {maintainer}  {date}\n"


def control(root: Path, arch: str) -> None:
    """Writes the package's description, its scripts and the sums of its files."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    sums = (
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(root)}\n"
        for path in files
    )
    kibibytes = sum(-(-path.stat().st_size // 1024) for path in files)
    text = (DEBIAN / "control").read_text()
    for name, value in (("VERSION", version()), ("ARCHITECTURE", arch), ("SIZE", str(kibibytes))):
        text = text.replace(f"@{name}@", value)
    write(root / "DEBIAN/control", text.encode())
    write(root / "DEBIAN/md5sums", "".join(sums).encode())
    for name in SCRIPTS:
        write(root / "DEBIAN" / name, (DEBIAN / name).read_bytes(), 0o755)


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Writes a file, and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def main() -> int:
    if shutil.which("dpkg-deb") is None:
        print("deb: dpkg-deb is missing; a .deb can be built on Debian or Ubuntu", file=sys.stderr)
        return 1
    arch, when = architecture(), epoch()
    out = OUT / f"jobd_{version()}_{arch}.deb"
    OUT.mkdir(exist_ok=True)
    os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory(prefix="jobd-deb-") as scratch:
            root = Path(scratch) / "root"
            root.mkdir(mode=0o755)
            lay_out(root, arch, when)
            control(root, arch)
            for path in [root, *root.rglob("*")]:
                os.utime(path, (when, when), follow_symlinks=False)
            environment = ["env", f"SOURCE_DATE_EPOCH={when}"]
            run(*environment, "dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(root), str(out))
    except Failed as error:
        print(f"deb: {error}", file=sys.stderr)
        return 1
    print(f"deb: {out.relative_to(ROOT)}, {out.stat().st_size / 1e6:.1f} MB", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
