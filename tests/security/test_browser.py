"""A web page in a real browser against a real jobd: it cannot submit, read, or follow anything, whatever it tries.

The daemon runs without a key, the weakest setting, so that only the checks of Host and Origin refuse the page. The page reports its
results to its own server. Chromium resolves `rebound.example` to this machine, as a rebinding DNS server would.
"""

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.daemon import DEADLINE_S, Daemon

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
REBOUND = "rebound.example"
PAGE = """<!doctype html><title>page</title><iframe name="sink" hidden></iframe><script>
const api = "%(api)s", spec = JSON.stringify({id: "%(id)s", image: "busybox"});
const found = {};
async function attempt(name, make) {
  try {
    const answer = await make();
    found[name] = answer.type === "opaque" ? "opaque" : [answer.status, (await answer.text()).slice(0, 300)];
  } catch (error) { found[name] = "refused"; }
}
function stream(name, url) {
  return new Promise(done => {
    const source = new EventSource(url);
    source.onopen = () => { found[name] = "open"; source.close(); done(); };
    source.onmessage = event => { found[name] = event.data; source.close(); done(); };
    source.onerror = () => { found[name] ??= "refused"; source.close(); done(); };
  });
}
function form(name, type, body) {
  return new Promise(done => {
    const frame = document.createElement("iframe"); frame.name = name; frame.onload = () => done(); document.body.append(frame);
    const form = document.createElement("form");
    form.method = "POST"; form.enctype = type; form.action = api + "/v1/jobs"; form.target = name;
    for (const [key, value] of body) {
      const field = document.createElement("input"); field.name = key; field.value = value; form.append(field);
    }
    document.body.append(form); form.submit(); setTimeout(done, 3000);
  });
}
window.onload = async () => {
  const post = {method: "POST", body: spec};
  await attempt("control", () => fetch("/control"));
  await attempt("get", () => fetch(api + "/v1/jobs"));
  await attempt("livez", () => fetch(api + "/livez"));
  await attempt("json", () => fetch(api + "/v1/jobs", {...post, headers: {"Content-Type": "application/json"}}));
  await attempt("text", () => fetch(api + "/v1/jobs", {...post, headers: {"Content-Type": "text/plain"}}));
  await attempt("no-cors", () => fetch(api + "/v1/jobs", {...post, mode: "no-cors"}));
  await attempt("no-cors-get", () => fetch(api + "/v1/jobs", {mode: "no-cors"}));
  await attempt("blob", () => fetch(api + "/v1/jobs", {
    method: "POST", mode: "no-cors", body: new Blob([spec], {type: "application/json"})}));
  await attempt("delete", () => fetch(api + "/v1/jobs/victim", {method: "DELETE"}));
  await attempt("cancel", () => fetch(api + "/v1/jobs/victim/cancel", {method: "POST", mode: "no-cors"}));
  found.beacon = navigator.sendBeacon(api + "/v1/jobs", new Blob([spec], {type: "text/plain"}));
  await stream("events", api + "/v1/events?follow=1");
  await form("form-urlencoded", "application/x-www-form-urlencoded", [["id", "%(id)s"]]);
  await form("form-plain", "text/plain", [['{"id":"%(id)s","image":"busybox","meta":{"a":"', '"}}']]);
  await form("form-multipart", "multipart/form-data", [["spec", spec], ["files", ""]]);
  for (const [name, path] of [["image", "/v1/jobs"], ["script", "/openapi.json"]]) {
    await new Promise(done => {
      const element = document.createElement(name === "image" ? "img" : "script");
      element.onload = () => { found[name] = "loaded"; done(); };
      element.onerror = () => { found[name] = "refused"; done(); };
      element.src = api + path; document.body.append(element);
    });
  }
  await fetch("/found", {method: "POST", body: JSON.stringify(found)});
};
</script>"""


class Site:
    """Serves the page and keeps the page's results."""

    def __init__(self) -> None:
        self.page = ""
        self.found: dict[str, Any] = {}
        self.arrived = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = site.page.encode() if self.path == "/" else b"reached"
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                site.found = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()
                site.arrived.set()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@pytest.fixture(scope="module")
def browser() -> str:
    """A Chromium. Without one the tests are skipped, except in `make test-browser`."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        missing = "no Chromium is installed; `make test-browser` says what to install"
        if os.environ.get("BROWSER_TESTS") == "required":
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    return found


def visit(browser: str, site: Site, url: str, folder: Path) -> dict[str, Any]:
    """Opens the page and returns its results; the browser can reach only this machine."""
    flags = [
        "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync",
        "--disable-component-update", "--disable-dev-shm-usage", f"--user-data-dir={folder / 'profile'}",
        f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1, MAP other.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--remote-debugging-port=0",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]  # fmt: skip
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(
            [browser, *flags, url],
            stdout=log,
            stderr=log,
            env={**os.environ, "HOME": str(folder)},
            start_new_session=True,
        )
        try:
            arrived = site.arrived.wait(DEADLINE_S)
        finally:
            # The whole process group: the program may be a script that starts the browser.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(DEADLINE_S)
    assert arrived, (folder / "browser.log").read_text(errors="replace")[-3000:]
    return site.found


@pytest.fixture
def daemon(make_daemon: Callable[..., Daemon], job_id: str) -> Daemon:
    daemon = make_daemon(environ={"DOCKER_HOST": "unix:///nonexistent/engine.sock"}).start()
    daemon.submit(id="victim", image="busybox", meta={"a": "private-word"})
    return daemon


def nothing_happened(daemon: Daemon) -> None:
    jobs = daemon.call("GET", "/v1/jobs").json["jobs"]
    assert [(job["id"], job["status"]) for job in jobs] == [("victim", "accepted")]


def test_a_page_of_another_origin_can_do_and_read_nothing(
    browser: str, daemon: Daemon, site: Site, tmp_path: Path, job_id: str
) -> None:
    site.page = PAGE % {"api": daemon.http, "id": job_id}
    found = visit(browser, site, f"http://other.example:{site.port}/", tmp_path)
    assert found.pop("control") == [200, "reached"]
    assert found.pop("beacon") is True  # the browser has sent it; the result is checked below
    # The page cannot see the responses of these requests, which are refusals.
    opaque = {name for name, what in found.items() if what == "opaque"}
    assert opaque <= {"no-cors", "no-cors-get", "blob", "cancel"}
    assert {what for name, what in found.items() if name not in opaque} == {"refused"}
    assert "private-word" not in json.dumps(found)
    nothing_happened(daemon)


def test_a_rebound_dns_name_is_refused(
    browser: str, daemon: Daemon, site: Site, tmp_path: Path, job_id: str
) -> None:
    """The page's own host name now resolves to jobd: for the browser it is the same site, and a GET has no Origin."""
    port = urlsplit(daemon.http).port
    site.page = PAGE % {"api": f"http://{REBOUND}:{port}", "id": job_id}
    found = visit(browser, site, f"http://{REBOUND}:{site.port}/", tmp_path)
    assert found.pop("control") == [200, "reached"]
    assert not [name for name, what in found.items() if isinstance(what, list) and what[0] < 400]
    assert "private-word" not in json.dumps(found)
    nothing_happened(daemon)


def test_a_page_with_the_daemons_own_name_and_port_reads_nothing_either(
    browser: str, daemon: Daemon, tmp_path: Path
) -> None:
    """The browser shows the refusal when it opens the API under a foreign name."""
    port = urlsplit(daemon.http).port
    flags = ["--headless", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
             f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1", "--disable-background-networking",
             *(["--no-sandbox"] if os.geteuid() == 0 else [])]  # fmt: skip
    shown = subprocess.run(
        [browser, *flags, f"http://{REBOUND}:{port}/v1/jobs"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env={**os.environ, "HOME": str(tmp_path)},
    ).stdout
    assert "host-refused" in shown
    assert "private-word" not in shown
