"""Writes the software bill of materials: jobd and its runtime dependencies, as CycloneDX 1.5 JSON.

Follows the dependencies of pyproject.toml through the metadata of the installed packages. The packages of tests and tools are not
included. Equal installations give equal bytes.
"""

import hashlib
import json
import re
import sys
import uuid
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "sbom.json"
PROJECT = "jobd"
_LOCKED = re.compile(
    r"^([A-Za-z0-9_.-]+)==([^ ;\\]+).*?((?:\\\n\s+--hash=sha256:[0-9a-f]{64}\s*)+)", re.MULTILINE
)


def needs(package: Distribution) -> list[str]:
    """Returns the canonical names of a package's dependencies on this platform, without extras."""
    wanted = [Requirement(text) for text in package.requires or []]
    return sorted(
        {canonicalize_name(r.name) for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})}
    )


def closure(root: str) -> dict[str, Distribution]:
    """Returns the package and its direct and indirect dependencies, by canonical name."""
    found: dict[str, Distribution] = {}
    pending = [root]
    while pending:
        name = pending.pop()
        if name not in found:
            found[name] = distribution(name)
            pending += needs(found[name])
    return dict(sorted(found.items()))


def locked_hashes(text: str) -> dict[tuple[str, str], list[str]]:
    """Returns the hashes of the lock file by name and version."""
    return {
        (canonicalize_name(name), version): re.findall(r"sha256:([0-9a-f]{64})", hashes)
        for name, version, hashes in _LOCKED.findall(text)
    }


def component(name: str, package: Distribution, hashes: dict[tuple[str, str], list[str]]) -> dict[str, Any]:
    """Returns one component. `hashes`: those of all files of each version, from the lock file."""
    metadata = package.metadata
    made: dict[str, Any] = {
        "type": "application" if name == PROJECT else "library",
        "bom-ref": purl(name, package.version),
        "name": name,
        "version": package.version,
        "purl": purl(name, package.version),
    }
    if "Summary" in metadata:
        made["description"] = metadata["Summary"]
    if "License-Expression" in metadata:
        made["licenses"] = [{"expression": metadata["License-Expression"]}]
    elif classifiers := [
        c for c in metadata.get_all("Classifier", []) if c.startswith("License :: OSI Approved :: ")
    ]:
        made["licenses"] = [{"license": {"name": c.rpartition(" :: ")[2]}} for c in classifiers]
    if found := hashes.get((name, package.version)):
        made["externalReferences"] = [
            {
                "type": "distribution",
                "url": purl(name, package.version),
                "hashes": [{"alg": "SHA-256", "content": value} for value in found],
            }
        ]
    return made


def purl(name: str, version: str) -> str:
    """Returns the package URL. Source: package URL specification, type pypi."""
    return f"pkg:pypi/{name}@{version}"


def bill(lock: str) -> dict[str, Any]:
    """Returns the whole document."""
    packages = closure(PROJECT)
    hashes = locked_hashes(lock)
    components = [component(name, package, hashes) for name, package in packages.items()]
    content = json.dumps(components, sort_keys=True).encode()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=hashlib.sha256(content).digest()[:16], version=4)}",
        "version": 1,
        "metadata": {"component": next(c for c in components if c["name"] == PROJECT)},
        "components": [c for c in components if c["name"] != PROJECT],
        "dependencies": [
            {
                "ref": purl(name, package.version),
                "dependsOn": [purl(other, packages[other].version) for other in needs(package)],
            }
            for name, package in packages.items()
        ],
    }


def main() -> int:
    made = bill((ROOT / "requirements" / "ci.txt").read_text())
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(made, indent=1) + "\n")
    print(f"sbom: {len(made['components'])} packages in {OUT.relative_to(ROOT)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
