"""What the daemon leaves out of its packages: each part is absent, and what stands for it does its work."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import os, sys
from jobd.process.lean_imports import prepare_imports

before = dict(os.environ)
prepare_imports()
prepare_imports()
assert dict(os.environ) == before, "the environment is as it was"
import jobd.docker.orchestrator, jobd.process.serve
import aiohttp.connector, requests, ssl

assert not [name for name in sys.modules if name.startswith(("charset_normalizer.", "chardet"))]
answer = requests.Response()
answer._content = "gr\\u00fcn \\u2713".encode()
assert answer.text == "gr\\u00fcn \\u2713"
answer._content = b"\\xff"
assert answer.text == "\\ufffd"
assert aiohttp.connector._SSL_CONTEXT_VERIFIED.get_ca_certs() == []
assert aiohttp.connector._SSL_CONTEXT_VERIFIED.verify_mode == ssl.CERT_REQUIRED
from jobd.events.http.connections import _trusting

assert _trusting().cert_store_stats() == ssl.create_default_context().cert_store_stats(), "receivers are checked as before"
"""


def test_unused_parts_are_left_out_and_nothing_else_changes() -> None:
    for variables in ({}, {"SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt"}):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
