"""`jobctl submit`: the same as `run -d`, with the same flags."""

import inspect
from typing import Any

from jobctl.commands.run import SETTINGS as SETTINGS
from jobctl.commands.run import run

FORMATS = ("json", "yaml", "name")
EXAMPLES = """
  jobctl submit busybox sleep 60
  jobctl submit -f job.yaml --label run=nightly --retries 2
  jobctl logs -f "$(jobctl submit -f job.yaml)"
"""


def submit(**given: Any) -> Any:
    """Submit a job and print its id; the same as run -d."""
    return run(**given, detach=True)


_ATTACHED = ("detach", "raw")
"""Flags of `run` for an attached run."""
_signature = inspect.signature(run)
submit.__signature__ = _signature.replace(  # type: ignore[attr-defined]
    parameters=[parameter for name, parameter in _signature.parameters.items() if name not in _ATTACHED]
)
submit.__annotations__ = {name: hint for name, hint in run.__annotations__.items() if name not in _ATTACHED}
