"""`jobctl submit`: the same as `run -d`, with the same flags."""

from typing import Any

from jobctl.commands.jobs.run import SETTINGS as SETTINGS
from jobctl.commands.jobs.run import run

FORMATS = ("json", "yaml", "name")
EXAMPLES = """
  jobctl submit busybox sleep 60
  jobctl submit -f job.yaml --label run=nightly --retries 2
  jobctl logs -f "$(jobctl submit -f job.yaml)"
"""
LEFT_OUT = ("detach", "raw", "detach_keys")
"""Flags of `run` for an attached run."""


def submit(**given: Any) -> Any:
    """Submit a job and print its id; the same as run -d."""
    return run(**{**given, "detach": True})


submit.__wrapped__ = run  # type: ignore[attr-defined] # the parser reads the flags there
submit.__annotations__ = run.__annotations__
