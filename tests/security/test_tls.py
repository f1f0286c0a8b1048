"""TLS on the API's port: required beyond loopback together with a key, certificates that clients check, unusable files."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.daemon import DEADLINE_S, Daemon, until

NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/engine.sock"}


@dataclass(frozen=True)
class Certificates:
    """The test's own certificate authority, and its certificates for `localhost`, 127.0.0.1 and the name `box.example`."""

    ca: Path
    cert: Path
    key: Path
    folder: Path

    def openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if shutil.which("openssl") is None:
        missing = "openssl is not installed: apt-get install openssl"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("tls")
    made = Certificates(folder / "ca.pem", folder / "cert.pem", folder / "key.pem", folder)
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    made.openssl(
        "req", "-x509", *new, "-keyout", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=test", "-days", "2"
    )
    made.openssl("req", *new, "-keyout", "key.pem", "-out", "cert.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost,DNS:box.example,IP:127.0.0.1\n")
    signing = ("-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "2", "-extfile", "names")
    made.openssl("x509", "-req", "-in", "cert.csr", *signing, "-out", "cert.pem")
    made.key.chmod(0o600)
    return made


@pytest.fixture
def served(make_daemon: Callable[..., Daemon], certificates: Certificates) -> Daemon:
    """Listens on all addresses of this machine, as for other machines; the test itself contacts no other machine."""
    flags = ("--host", "0.0.0.0", "--tls-cert", str(certificates.cert), "--tls-key", str(certificates.key),
             "--names", "box.example")  # fmt: skip
    return make_daemon(environ=NO_ENGINE, flags=flags).start()


def get(daemon: Daemon, path: str, ca: Path | None, host: str = "127.0.0.1", **headers: str) -> int:
    port = urlsplit(daemon.http).port
    request = urllib.request.Request(f"https://{host}:{port}{path}", headers=headers)
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_the_key_is_required_and_the_certificate_is_checked(
    served: Daemon, certificates: Certificates
) -> None:
    assert served.http.startswith("https://")
    key = (served.folder / "state" / "api-key").read_text().strip()
    assert get(served, "/livez", certificates.ca) == 200
    assert get(served, "/v1/jobs", certificates.ca) == 401
    assert get(served, "/v1/jobs", certificates.ca, Authorization=f"Bearer {key}") == 200
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        get(served, "/livez", None)


def test_foreign_hosts_are_refused_with_tls_too(served: Daemon, certificates: Certificates) -> None:
    key = (served.folder / "state" / "api-key").read_text().strip()
    for host, status in (
        ("box.example", 200),
        ("BOX.example:1", 200),
        ("127.0.0.1", 200),
        ("evil.example", 403),
    ):
        answer = get(served, "/v1/jobs", certificates.ca, Host=host, Authorization=f"Bearer {key}")
        assert answer == status, host


def test_an_address_of_this_machine_needs_no_name(served: Daemon, certificates: Certificates) -> None:
    """The address of the connection is one of the daemon's names; another address is not."""
    key = (served.folder / "state" / "api-key").read_text().strip()
    context = ssl.create_default_context(cafile=str(certificates.ca))
    context.check_hostname = False
    port = int(urlsplit(served.http).port or 0)

    def status(host: str) -> bytes:
        with (
            socket.create_connection(("127.0.0.9", port), timeout=DEADLINE_S) as plain,
            context.wrap_socket(plain) as sock,
        ):
            head = f"GET /v1/jobs HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n"
            sock.sendall(head.encode())
            return sock.recv(64).split()[1]

    assert status(f"127.0.0.9:{port}") == b"200"
    assert status(f"127.0.0.8:{port}") == b"403"


def test_old_tls_versions_and_plain_http_are_refused(served: Daemon, certificates: Certificates) -> None:
    at = urlsplit(served.http)
    with socket.create_connection(("127.0.0.1", int(at.port or 0)), timeout=DEADLINE_S) as sock:
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = sock.recv(1000)
        assert b"HTTP/1.1 200" not in said
    context = ssl.create_default_context(cafile=str(certificates.ca))
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", int(at.port or 0)), timeout=DEADLINE_S) as sock,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(sock, server_hostname="localhost")
    assert get(served, "/livez", certificates.ca) == 200


def jobctl(daemon: Daemon, host: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JOBCTL_")}
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "jobctl",
            "--host",
            f"https://{host}:{urlsplit(daemon.http).port}",
            *arguments,
        ],
        env={**clean, **environ},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )


def test_jobctl_checks_the_certificate_against_the_given_authority(
    served: Daemon, certificates: Certificates
) -> None:
    key_file = {"JOBCTL_API_KEY_FILE": str(served.folder / "state" / "api-key")}
    done = jobctl(served, "localhost", "ls", "-o", "json", **key_file, JOBCTL_CA_FILE=str(certificates.ca))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"jobs": [], "more": False}
    for environ, words in (
        ({}, "JOBCTL_CA_FILE"),
        ({"JOBCTL_CA_FILE": str(certificates.folder / "none.pem")}, "none.pem"),
    ):
        refused = jobctl(served, "localhost", "ls", **key_file, **environ)
        assert refused.returncode != 0
        assert words in refused.stderr
        assert "Traceback" not in refused.stderr
    # The right authority with a wrong name: its certificates for other names do not pass.
    wrong = jobctl(served, "127.0.0.9", "ls", **key_file, JOBCTL_CA_FILE=str(certificates.ca))
    assert wrong.returncode != 0
    assert "not trusted" in wrong.stderr


def start(tmp_path: Path, *flags: str) -> Any:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "jobd",
            "--state-dir",
            str(tmp_path / "state"),
            "--socket",
            str(tmp_path / "s"),
            *flags,
        ],
        env={**os.environ, **NO_ENGINE, "PORT": "0", "METRICS_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )


def test_unsafe_tls_settings_are_fatal(certificates: Certificates, tmp_path: Path) -> None:
    cert, key = str(certificates.cert), str(certificates.key)
    open_key = tmp_path / "open.pem"
    open_key.write_bytes(certificates.key.read_bytes())
    open_key.chmod(0o644)
    certificates.openssl(
        "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(tmp_path / "other.pem")
    )
    certificates.openssl(
        "ec", "-in", "key.pem", "-aes128", "-passout", "pass:x", "-out", str(tmp_path / "locked.pem")
    )
    noise = tmp_path / "noise.pem"
    noise.write_text("no certificate")
    for name in ("other.pem", "locked.pem", "noise.pem"):
        (tmp_path / name).chmod(0o600)
    for flags, variable, words in (
        (("--host", "0.0.0.0"), "JOBD_HOST", "TLS"),
        (("--host", "0.0.0.0", "--no-auth"), "JOBD_NO_AUTH", "loopback"),
        (
            ("--host", "0.0.0.0", "--no-auth", "--tls-cert", cert, "--tls-key", key),
            "JOBD_NO_AUTH",
            "loopback",
        ),
        (("--tls-key", key), "TLS_KEY_FILE", "TLS_CERT_FILE"),
        (("--tls-cert", cert, "--tls-key", str(open_key)), "TLS_KEY_FILE", "chmod"),
        (("--tls-cert", cert, "--tls-key", str(tmp_path / "none")), "TLS_KEY_FILE", "No such file"),
        (("--tls-cert", cert, "--tls-key", str(tmp_path / "other.pem")), "TLS_CERT_FILE", "do not match"),
        (("--tls-cert", cert, "--tls-key", str(tmp_path / "locked.pem")), "TLS_KEY_FILE", "encrypted"),
        (("--tls-cert", str(noise)), "TLS_CERT_FILE", "PEM"),
    ):
        ended = start(tmp_path, *flags)
        assert ended.returncode == 2, (flags, ended.stderr)
        assert ended.stderr.startswith(f"jobd: {variable}: "), ended.stderr
        assert words in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("new_key", ["ec", "rsa"])
def test_a_renewed_certificate_is_used_after_sighup(
    make_daemon: Callable[..., Daemon], certificates: Certificates, tmp_path: Path, new_key: str
) -> None:
    """Also one whose key is of another type: no connection gets the old certificate any more."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    shutil.copy(certificates.cert, cert)
    shutil.copy(certificates.key, key)
    daemon = make_daemon(environ=NO_ENGINE, flags=("--tls-cert", str(cert), "--tls-key", str(key))).start()
    old = served_certificate(daemon)
    kind = (
        ["-newkey", "rsa:2048"]
        if new_key == "rsa"
        else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    )
    certificates.openssl(
        "req", "-x509", *kind, "-nodes", "-keyout", str(tmp_path / "new-key"), "-out", str(tmp_path / "new"),
        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
    )  # fmt: skip
    shutil.copy(tmp_path / "new", cert)
    hang_up(daemon, "do not match")
    assert served_certificate(daemon) == old, "a certificate without its key changes nothing"
    shutil.copy(tmp_path / "new-key", key)
    hang_up(daemon, "settings reloaded")
    assert served_certificate(daemon) != old
    assert get(daemon, "/livez", cert) == 200


def served_certificate(daemon: Daemon) -> str:
    at = urlsplit(daemon.http)
    return ssl.get_server_certificate(("127.0.0.1", int(at.port or 0)), timeout=DEADLINE_S)


def hang_up(daemon: Daemon, words: str) -> None:
    begin = daemon.log.stat().st_size
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: words.encode() in daemon.log.read_bytes()[begin:], f"the log says {words}")
