"""A real Prometheus with the project's rules, for tests and pictures: starts the program, changes what the program scrapes, asks it.

Owns the folder of the program and its process, which ends with the block. `scaled` makes minutes of the rules into seconds.
"""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
CONFIG = ROOT / "deploy" / "prometheus" / "prometheus.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "jobd.json"
MISSING = "no Prometheus is installed; on Debian: apt-get install --no-install-recommends prometheus"
LIMIT_S = 60.0
SCRAPE_S = 0.5
_MINUTES = re.compile(r"\b(\d+)m\b")
_SCALED_NUMBERS = {"600": "10", "10000": "10"}
"""Ten minutes in the queue, and a backlog of ten thousand events."""

Series = dict[str, Any]


class PrometheusFailed(Exception):
    """Prometheus is missing, did not start, or refused a query."""


def program(name: str = "prometheus") -> str:
    """Returns the path of a program of Prometheus. Raises PrometheusFailed: it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise PrometheusFailed(MISSING)
    return found


def alerts() -> list[dict[str, Any]]:
    """Returns the project's alerts."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def queries() -> list[tuple[str, str]]:
    """Returns each query of the dashboard with its panel's title."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", [])]


def scaled(rules: str) -> str:
    """Returns the rules with seconds in the place of minutes, and with thresholds that are as much smaller. Pure."""
    seconds = _MINUTES.sub(r"\1s", rules)
    return re.sub(r"(?<=> )\d+\b", lambda match: _SCALED_NUMBERS.get(match[0], match[0]), seconds)


class Prometheus:
    """Prometheus on a free port of loopback. `rules`: the text of its alerts."""

    def __init__(self, folder: Path, rules: str = "") -> None:
        self._folder = folder
        self._targets = folder / "targets.json"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = _free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self.scrape(())
        (folder / "rules.yml").write_text(rules or "groups: []\n")
        every = f"{int(SCRAPE_S * 1000)}ms"
        (folder / "prometheus.yml").write_text(
            f"global: {{scrape_interval: {every}, evaluation_interval: {every}}}\n"
            "rule_files: [rules.yml]\n"
            "scrape_configs:\n"
            "  - job_name: jobd\n"
            "    file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]\n"
        )

    def __enter__(self) -> Self:
        log = (self._folder / "prometheus.log").open("wb")
        with log:
            self._process = subprocess.Popen(
                [
                    program(),
                    f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.until(self._is_ready, "Prometheus is ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(LIMIT_S)

    def scrape(self, urls: Sequence[str]) -> None:
        """Scrapes these jobd from now on, by the URLs of their metrics."""
        text = json.dumps([{"targets": [urllib.parse.urlsplit(url).netloc for url in urls]}])
        new = self._targets.with_suffix(".new")
        new.write_text(text)
        new.replace(self._targets)

    def query(self, expression: str) -> list[Series]:
        """Returns the present value of each series. Raises PrometheusFailed."""
        return self._ask("query", {"query": expression})

    def query_range(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """Returns the values of each series from `start` to `end`. Raises PrometheusFailed."""
        return self._ask("query_range", {"query": expression, "start": start, "end": end, "step": step})

    def firing(self) -> set[str]:
        """Returns the names of the alerts that fire."""
        return {series["metric"]["alertname"] for series in self.query('ALERTS{alertstate="firing"}')}

    def until(self, holds: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
        """Waits for a condition. Raises PrometheusFailed: `what` does not come."""
        deadline = time.monotonic() + limit_s
        while not holds():
            if time.monotonic() > deadline or (
                self._process is not None and self._process.poll() is not None
            ):
                log = (self._folder / "prometheus.log").read_text()[-2000:]
                raise PrometheusFailed(f"{what}: not within {limit_s:g} s\n{log}")
            time.sleep(0.2)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _ask(self, path: str, parameters: dict[str, Any]) -> list[Series]:
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            raise PrometheusFailed(f"{parameters['query']}: {error.read().decode()}") from None
        series: list[Series] = found["data"]["result"]
        return series


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
