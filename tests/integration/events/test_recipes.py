"""Runs the receivers' recipes of docs/events.md, unchanged, on jobd's requests."""

import base64
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobd.wire.signing import signature_headers

PAGE = Path(__file__).parents[3] / "docs" / "events.md"
NEW, OLD, OTHER = (
    "whsec_" + base64.b64encode(f"a key of a receiver {n}".encode()).decode() for n in range(3)
)
PLAIN = ("whsec_abc123", "whsec_", "whsec_not-base64", "a plain key", "ä")
"""Keys that are used as plain bytes."""
BODY = '{"n":1,"text":"ä"}\n'.encode()

GO_MAIN = """
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	body, _ := io.ReadAll(os.Stdin)
	header := http.Header{}
	header.Set("Webhook-Id", os.Args[2])
	header.Set("Webhook-Timestamp", os.Args[3])
	header.Set("Webhook-Signature", os.Args[4])
	fmt.Print(Verify(os.Args[1], header, body))
}
"""


def recipe(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(found)


def check(verify: Callable[[str, dict[str, str], bytes], bool]) -> None:
    headers = signature_headers(f"{NEW} {OLD}", "u-1", int(time.time()), BODY)
    lower = {name.lower(): text for name, text in headers.items()}
    assert verify(NEW, lower, BODY)
    assert verify(OLD, lower, BODY)
    assert not verify(OTHER, lower, BODY)
    assert not verify(NEW, lower, BODY + b" ")
    assert not verify(NEW, {**lower, "webhook-id": "u-2"}, BODY)
    for key in PLAIN:
        signed = signature_headers(key, "u-1", int(time.time()), BODY)
        assert verify(key, {name.lower(): text for name, text in signed.items()}, BODY)
        assert not verify(key, lower, BODY)
    old = signature_headers(NEW, "u-1", int(time.time()) - 3600, BODY)
    assert not verify(NEW, {name.lower(): text for name, text in old.items()}, BODY)


def test_python() -> None:
    room: dict[str, Any] = {}
    exec(recipe("python"), room)
    check(room["verify"])


def test_go(tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go here")
    (tmp_path / "go.mod").write_text("module recipe\n\ngo 1.19\n")
    (tmp_path / "verify.go").write_text(recipe("go").replace("package webhook", "package main"))
    (tmp_path / "main.go").write_text(GO_MAIN)
    program = tmp_path / "recipe"
    subprocess.run([go, "build", "-o", program, "."], cwd=tmp_path, check=True, timeout=300)

    def verify(key: str, headers: dict[str, str], body: bytes) -> bool:
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        arguments = [str(program), key, *(headers[name] for name in names)]
        return subprocess.run(arguments, input=body, capture_output=True, check=True).stdout == b"true"

    check(verify)


@pytest.mark.parametrize("key", [NEW, *PLAIN])
def test_shell(tmp_path: Path, key: str) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    (tmp_path / "body").write_bytes(BODY)
    stamp = int(time.time())
    given = {"KEY": key, "ID": "u-1", "STAMP": str(stamp), "BODY": str(tmp_path / "body")}
    path = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", recipe("sh")], env=given | path, capture_output=True, check=True)
    headers = signature_headers(key, "u-1", stamp, BODY)
    assert done.stdout.decode().split() == [headers["X-Signature-256"], headers["Webhook-Signature"]]
