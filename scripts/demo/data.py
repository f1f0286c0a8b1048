"""The demo's input, and the expected results, computed here in Python from the same file.

The input is a year of hourly temperatures in San Francisco: NOAA, public domain, as the `vega-datasets` package ships it.
"""

import csv
import importlib.util
import io
import tarfile
from pathlib import Path

SHA256 = "3f91699707cfed43ef551394bebef4c2ebe5505157b9be7bff9558eea2fbaaec"

Months = dict[str, dict[str, float]]
"""Month (01 to 12) -> mean, max, hours."""


def dataset() -> Path:
    """Returns the file in the installed package, without importing the package and its pandas."""
    spec = importlib.util.find_spec("vega_datasets")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("vega-datasets comes with the dev extra: make venv")
    return Path(spec.origin).parent / "_data" / "sf-temps.csv"


def packed(data: bytes) -> bytes:
    """Returns a tar.gz as on release pages: one root folder, the data in a subfolder, and an unneeded file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in (("sf-2010/README", b"not wanted\n"), ("sf-2010/data/sf-temps.csv", data)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def by_month(text: str, unit: str) -> Months:
    """Computes the job's expected result."""
    months: dict[str, list[float]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        degrees = float(row["temp"])
        months.setdefault(row["date"][5:7], []).append(
            (degrees - 32) * 5 / 9 if unit == "celsius" else degrees
        )
    return {month: {"mean": sum(t) / len(t), "max": max(t), "hours": len(t)} for month, t in months.items()}


def parsed(table: str) -> Months:
    """Parses the job's table: month,mean,maximum,hours."""
    rows = [line.split(",") for line in table.split()]
    return {
        month: {"mean": float(mean), "max": float(top), "hours": int(hours)}
        for month, mean, top, hours in rows
    }


def agree(found: Months, expected: Months, digits: int) -> bool:
    """Returns whether both have the same months and values, rounded to `digits`."""
    near = 0.5 * 10**-digits + 1e-9
    return found.keys() == expected.keys() and all(
        found[month].keys() == values.keys()
        and all(abs(found[month][key] - value) <= near for key, value in values.items())
        for month, values in expected.items()
    )
