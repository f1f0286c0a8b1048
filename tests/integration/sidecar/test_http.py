"""Transfers against a real server that answers well, badly, late or never."""

import hashlib
import os
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobd.wire.artifact import Download, Upload
from sidecar.artifacts import download, upload
from sidecar.artifacts.base import Caps, Context
from sidecar.errors import ArtifactError, Missing

CONTENT = os.urandom(700_000)

MakeContext = Callable[..., Context]


def get(context: Context, url: str, **options: Any) -> int | None:
    return download.transfer(Download(id="d", source=url, out="in/x", **options), context).size_bytes


def put(context: Context, url: str) -> int | None:
    return upload.transfer(Upload(id="u", source="result", out=url), context).size_bytes


def nothing_is_left(root: Path) -> bool:
    return not [path for path in root.rglob("*") if path.is_file()]


def test_a_file_is_fetched_and_checked(context: Context, server: Any, root: Path) -> None:
    url = server.on("/x", server.answer(200, CONTENT))
    digest = hashlib.sha256(CONTENT).hexdigest().upper()
    assert get(context, url, sha256=digest, max_bytes=len(CONTENT)) == len(CONTENT)
    assert (root / "in/x").read_bytes() == CONTENT
    assert server.seen[0].headers["Accept-Encoding"] == "identity"


def test_an_empty_file_and_a_chunked_one(context: Context, server: Any, root: Path) -> None:
    def chunked(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    assert get(context, server.on("/empty", server.answer(200))) == 0
    assert (root / "in/x").read_bytes() == b""
    assert get(context, server.on("/chunked", chunked)) == 5
    assert (root / "in/x").read_bytes() == b"abcde"


def test_encoded_content_is_not_decoded(context: Context, server: Any, root: Path) -> None:
    get(context, server.on("/x", server.answer(200, b"\x1f\x8bnot gzip", Content_Encoding="gzip")))
    assert (root / "in/x").read_bytes() == b"\x1f\x8bnot gzip"


def test_a_wrong_checksum_leaves_nothing_and_is_not_retried(
    context: Context, server: Any, root: Path
) -> None:
    url = server.on("/x", server.answer(200, CONTENT))
    with pytest.raises(ArtifactError, match="sha256 is"):
        get(context, url, sha256="0" * 64)
    assert nothing_is_left(root)
    assert len(server.seen) == 1


@pytest.mark.parametrize("announced", [True, False])
def test_a_file_over_its_cap_fails(context: Context, server: Any, root: Path, announced: bool) -> None:
    def unannounced(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(CONTENT)
        handler.close_connection = True

    url = server.on("/x", server.answer(200, CONTENT) if announced else unannounced)
    with pytest.raises(ArtifactError, match="maxBytes"):
        get(context, url, max_bytes=len(CONTENT) - 1)
    assert nothing_is_left(root)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_temporary_errors_are_retried(context: Context, server: Any, root: Path, status: int) -> None:
    busy = server.answer(status, b"busy", Retry_After="3600")
    assert get(context, server.on("/x", busy, server.hang_up, server.answer(200, b"ok"))) == 2
    assert (root / "in/x").read_bytes() == b"ok"
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416, 304])
def test_permanent_errors_fail_at_once(context: Context, server: Any, root: Path, status: int) -> None:
    url = server.on("/deep/x", server.answer(status))
    with pytest.raises(ArtifactError) as failed:
        get(context, url.replace("http://", "http://me:sesame@") + "?sig=sesame#sesame")
    assert f"GET {url}: the server answered {status}" in str(failed.value)
    assert "sesame" not in str(failed.value)
    assert len(server.seen) == 1
    assert nothing_is_left(root)


def test_tries_are_limited(context: Context, server: Any, root: Path) -> None:
    with pytest.raises(ArtifactError, match="503 Service Unavailable, after 4 tries"):
        get(context, server.on("/x", server.answer(503)))
    assert len(server.seen) == 4


def test_a_file_that_is_cut_is_fetched_again_from_the_start(
    context: Context, server: Any, root: Path
) -> None:
    cut = server.answer(200, CONTENT[:500_000], Content_Length=str(len(CONTENT)))
    assert get(context, server.on("/x", cut, server.answer(200, CONTENT))) == len(CONTENT)
    assert (root / "in/x").read_bytes() == CONTENT


def test_an_always_wrong_length_fails_and_leaves_no_file(context: Context, server: Any, root: Path) -> None:
    with pytest.raises(ArtifactError, match="ended 5 bytes early, after 4 tries"):
        get(context, server.on("/x", server.answer(200, b"12345", Content_Length="10")))
    assert nothing_is_left(root)


def test_a_server_that_stalls_is_given_up(context: Context, server: Any, root: Path) -> None:
    def half(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"12345")
        server.stall(handler)

    with pytest.raises(ArtifactError, match="stopped sending or taking data, after 4 tries"):
        get(context, server.on("/x", half, server.stall))
    assert nothing_is_left(root)


def test_a_slow_server_exceeds_the_time_limit(make_context: MakeContext, server: Any, root: Path) -> None:
    context = make_context(caps=Caps(download_s=0.3))
    with pytest.raises(ArtifactError, match=r"not finished within 0\.3 seconds"):
        get(context, server.on("/x", server.drip))
    assert nothing_is_left(root)


def test_redirects_are_followed(context: Context, server: Any, root: Path) -> None:
    server.on("/end", server.answer(200, b"end"))
    server.on("/b", server.answer(307, Location=server.url + "/end?token=1"))
    assert get(context, server.on("/a", server.answer(302, Location="b"))) == 3
    assert [s.path for s in server.seen] == ["/a", "/b", "/end?token=1"]


def test_a_password_is_sent_only_to_its_own_host(context: Context, server: Any) -> None:
    other = server.url.replace("127.0.0.1", "localhost")
    server.on("/end", server.answer(200, b"end"))
    url = server.on("/a", server.answer(302, Location="/b"))
    server.on("/b", server.answer(302, Location=other + "/end"))
    get(context, url.replace("http://", "http://me:p%40ss@"))
    assert [s.headers.get("Authorization") for s in server.seen] == ["Basic bWU6cEBzcw=="] * 2 + [None]


@pytest.mark.parametrize("location", ["/loop", "file:///etc/passwd", "ftp://x/", "http://", "http://[", None])
def test_invalid_redirects_fail(context: Context, server: Any, root: Path, location: str | None) -> None:
    headers = {} if location is None else {"Location": location}
    with pytest.raises(ArtifactError, match=r"redirect|without a Location header"):
        get(context, server.on("/loop", server.answer(302, **headers)))
    assert len(server.seen) <= 6
    assert nothing_is_left(root)


def test_a_closed_port_and_an_unknown_host_are_reported(context: Context) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(
            ArtifactError, match=r"no connection .Connection refused., after 4 tries"
        ) as failed:
            get(context, f"http://127.0.0.1:{port}/x?sig=sesame")
    assert "sesame" not in str(failed.value)
    with pytest.raises(ArtifactError, match=r"cannot be resolved|no connection"):
        get(context, "http://no-such-host.invalid/?sig=sesame")


def test_tls_to_a_server_that_speaks_none(context: Context, server: Any) -> None:
    server.on("/x", server.answer(200))
    with pytest.raises(ArtifactError, match="TLS failed") as failed:
        get(context, server.url.replace("http://", "https://") + "/x?sig=sesame")
    assert "sesame" not in str(failed.value)


def test_a_download_onto_a_folder_fails_without_retry(context: Context, server: Any, root: Path) -> None:
    (root / "in/x").mkdir(parents=True)
    with pytest.raises(ArtifactError, match="in/x: is a directory"):
        get(context, server.on("/x", server.answer(200, b"a")))
    assert len(server.seen) == 1


def test_a_file_is_sent_with_its_length(context: Context, server: Any, root: Path) -> None:
    (root / "result").write_bytes(CONTENT)
    assert put(context, server.on("/up", server.answer(201, b"thanks"))) == len(CONTENT)
    (request,) = server.seen
    assert (request.method, request.body) == ("PUT", CONTENT)
    assert request.headers["Content-Length"] == str(len(CONTENT))
    assert "Transfer-Encoding" not in request.headers
    assert request.headers["Content-Type"] == "application/octet-stream"


def test_every_try_and_every_redirect_names_the_type(context: Context, server: Any, root: Path) -> None:
    (root / "result").write_bytes(b"{}")
    server.on("/end", server.answer(503), server.answer(200))
    put(context, server.on("/up", server.answer(307, Location="/end")))
    assert [s.headers.get("Content-Type") for s in server.seen] == ["application/octet-stream"] * 4


def test_a_download_names_no_type(context: Context, server: Any) -> None:
    get(context, server.on("/x", server.answer(200, b"a")))
    assert "Content-Type" not in server.seen[0].headers


def test_an_empty_file_is_sent(context: Context, server: Any, root: Path) -> None:
    (root / "result").write_bytes(b"")
    assert put(context, server.on("/up", server.answer(200))) == 0
    assert server.seen[0].headers["Content-Length"] == "0"


def test_an_upload_is_sent_again_whole(context: Context, server: Any, root: Path) -> None:
    (root / "result").write_bytes(CONTENT)
    put(context, server.on("/up", server.answer(503), server.hang_up, server.answer(200)))
    assert [s.body == CONTENT for s in server.seen] == [True, True, True]


@pytest.mark.parametrize("retries", [0, 2])
def test_the_number_of_retries_is_a_limit(
    make_context: MakeContext, server: Any, root: Path, retries: int
) -> None:
    (root / "result").write_bytes(b"x")
    with pytest.raises(ArtifactError, match="503"):
        put(make_context(upload_retries=retries), server.on("/up", server.answer(503)))
    assert len(server.seen) == retries + 1


def test_a_refused_upload_fails_at_once(context: Context, server: Any, root: Path) -> None:
    (root / "result").write_bytes(b"x")
    with pytest.raises(ArtifactError, match=r"PUT http://127\.0\.0\.1:.*/up: the server answered 403"):
        put(context, server.on("/up", server.answer(403)) + "?X-Amz-Signature=sesame")
    assert len(server.seen) == 1


def test_an_upload_follows_a_redirect_that_keeps_the_content_only(
    context: Context, server: Any, root: Path
) -> None:
    (root / "result").write_bytes(b"data")
    server.on("/end", server.answer(200))
    put(context, server.on("/up", server.answer(307, Location="/end")))
    assert [s.body for s in server.seen] == [b"data", b"data"]
    with pytest.raises(ArtifactError, match="303, which would discard the content"):
        put(context, server.on("/up", server.answer(303, Location="/end")))


def test_an_unanswered_upload_exceeds_its_time_limit(
    make_context: MakeContext, server: Any, root: Path
) -> None:
    (root / "result").write_bytes(b"x")
    with pytest.raises(ArtifactError, match=r"not finished within 0\.1 seconds"):
        put(make_context(upload_timeout_s=0.1), server.on("/up", server.stall))


def test_only_a_regular_file_is_sent(context: Context, server: Any, root: Path) -> None:
    url = server.on("/up", server.answer(200))
    with pytest.raises(Missing):
        put(context, url)
    (root / "result").symlink_to("/etc/shadow")
    with pytest.raises(ArtifactError, match="symbolic link"):
        put(context, url)
    (root / "result").unlink()
    (root / "result").mkdir()
    with pytest.raises(ArtifactError, match="is a directory"):
        put(context, url)
    assert server.seen == []


def test_progress_is_reported(server: Any, root: Path, make_context: MakeContext) -> None:
    told: list[tuple[int, int | None]] = []
    context = msgspec.structs.replace(
        make_context(), meter=lambda size_bytes, total: told.append((size_bytes, total))
    )
    get(context, server.on("/x", server.answer(200, CONTENT)))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    (root / "result").write_bytes(CONTENT)
    put(context, server.on("/up", server.answer(200)))
    assert told[-1] == (len(CONTENT), len(CONTENT))
