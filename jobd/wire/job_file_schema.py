"""The JSON Schema of job files. `scripts/manual/job_file_schema.py` makes the file from the code."""

from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("job-file.schema.json")
MEDIA_TYPE = "application/schema+json"
"""Source: JSON Schema 2020-12 core, section 14.1."""


@cache
def job_file_schema() -> bytes:
    """Returns the schema as JSON."""
    return FILE.read_bytes()
