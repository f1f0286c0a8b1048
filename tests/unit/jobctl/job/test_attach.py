"""Ctrl-C at an inconvenient moment of an attached run."""

import subprocess
import sys
from pathlib import Path

PRESSES_CTRL_C = """
import os, signal, sys

from jobctl.imports import import_aside
from jobctl.job import attach

class Client:
    def call(self, method, path, *more):
        print(method, path)

def trace(frame, event, argument):
    if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.endswith("threading.py"):
        press()

def press():
    sys.settrace(None)
    if not signals.presses:
        os.kill(os.getpid(), signal.SIGINT)

with attach.RunSignals(Client(), "a") as signals:
    signals.accepted = True
    sys.settrace(trace)
    import_aside("jobctl.connection.log_frames")
    press()
"""


def test_ctrl_c_cancels_the_job_whatever_is_imported_then() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRESSES_CTRL_C], cwd=Path.cwd(), capture_output=True, timeout=60, check=False
    )
    assert done.stderr == b"jobctl: cancelling a; press Ctrl-C again to kill it\n"
    assert (done.returncode, done.stdout) == (0, b"POST /v1/jobs/a/cancel\n")
