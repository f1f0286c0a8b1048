"""How far a slow transfer is, on a real terminal and in a pipe, with a real sidecar that moves the bytes."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from tests.support.daemon import Daemon
from tests.support.terminal import on_terminal

SIZE = 4 << 20
BLOCK = b"x" * (1 << 16)


class SlowFile(http.server.BaseHTTPRequestHandler):
    """Sends half of a file, and the rest when the test allows that."""

    goes_on = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(SIZE))
        self.end_headers()
        for number in range(SIZE // len(BLOCK)):
            if number >= SIZE // len(BLOCK) // 2:
                self.goes_on.wait(0.1)  # slow, so that the sidecar reports its progress
            self.wfile.write(BLOCK)

    def log_message(self, format: str, *args: object) -> None:
        """Prints nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    SlowFile.goes_on.clear()
    with http.server.ThreadingHTTPServer(("0.0.0.0", 0), SlowFile) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://host.docker.internal:{server.server_address[1]}/file"
        SlowFile.goes_on.set()
        server.shutdown()
        thread.join(60)


def test_a_download_shows_its_bytes_and_its_rate(
    daemon: Daemon, worker_image: str, job_id: str, url: str
) -> None:
    with on_terminal(
        daemon, "run", "--name", job_id, "--in", f"data={url}", worker_image, "wc", "-c", "data", columns=160
    ) as terminal:
        terminal.read_until(b" of 4.0 MiB")
        terminal.read_until(b"/s")
        SlowFile.goes_on.set()
        assert terminal.end() == 0
        assert f"{job_id} waits for its inputs: " in terminal.text
        assert "(download)" in terminal.text
        assert f"{SIZE} data" in terminal.text
    piped = daemon.jobctl("run", "--in", f"data={url}", worker_image, "wc", "-c", "data")
    assert (piped.returncode, piped.stdout) == (0, f"{SIZE} data\n")
