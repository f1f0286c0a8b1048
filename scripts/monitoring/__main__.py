"""Draws `docs/pictures` from real data: the dashboard's queries on a real Prometheus during a load of jobs, and jobctl on a terminal.

    python -m scripts.monitoring

Needs an engine, Prometheus and tmux. Starts a jobd of its own.
"""

import json
import re
import shutil
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scripts.daemon import Daemon
from scripts.monitoring import charts, screens
from scripts.monitoring.load import Load
from scripts.monitoring.prometheus import DASHBOARD, ROOT, Prometheus, PrometheusFailed
from scripts.transcripts.terminal import CommandFailed

PICTURES = ROOT / "docs" / "pictures"
IMAGE = "busybox:latest"
LOAD_S = 90.0
STEP_S = 1.0


class _Receiver(BaseHTTPRequestHandler):
    """Takes every event."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def main() -> int:
    """Writes the pictures."""
    folder = Path(tempfile.mkdtemp(prefix="pictures-"))
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    PICTURES.mkdir(exist_ok=True)
    try:
        with (
            Daemon({"JOBD_NO_AUTH": "true", "MAX_CONCURRENT_JOBS": "4"}) as daemon,
            Prometheus(folder / "prometheus") as prometheus,
            screens.Screens(daemon.url, folder / "work") as terminal,
        ):
            log = daemon.log.read_text()
            metrics, address = (
                re.findall(rf'"{name}": ?"(http[^"]+)"', log)[0] for name in ("metrics", "http")
            )
            prometheus.scrape([metrics])
            start = time.time()
            receiver_url = f"http://127.0.0.1:{receiver.server_address[1]}/"
            with Load(address, IMAGE, receiver_url, failing=3) as load:
                load.fail_pulls = True
                _write("top", terminal.take(screens.TOP))
                terminal.take(screens.SWEEP)
                _write("progress", terminal.take(screens.PROGRESS))
                load.hold_queue_s = 4.0
                prometheus.until(lambda: time.time() > start + LOAD_S, "the load's end", LOAD_S + 5)
                load.check()
                _write("stats", terminal.take(screens.STATS))
                _write("dashboard", _dashboard(prometheus, start, time.time()))
    except (PrometheusFailed, CommandFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        receiver.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _dashboard(prometheus: Prometheus, start: float, end: float) -> str:
    found = []
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        lines = [
            charts.Line(
                _legend(target.get("legendFormat", ""), series["metric"]),
                [(float(at), float(value)) for at, value in series["values"]],
            )
            for target in panel.get("targets", [])
            for series in prometheus.query_range(target["expr"], start, end, STEP_S)
        ]
        if panel.get("targets"):
            found.append(
                charts.Panel(panel["title"], panel["fieldConfig"]["defaults"].get("unit", ""), lines)
            )
    return charts.dashboard(found, start, end)


def _legend(form: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: labels.get(match[1], ""), form)


def _write(name: str, svg: str) -> None:
    (PICTURES / f"{name}.svg").write_text(svg)
    sys.stdout.write(f"docs/pictures/{name}.svg\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
