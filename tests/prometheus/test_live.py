"""A real Prometheus reads real daemons: each alert fires by its own trouble, and each query of the dashboard has values under load.

The rules have seconds in the place of minutes (`scripts.monitoring.prometheus.scaled`): the shipped rules are tested in `test_rules.py`.
"""

import math
from collections.abc import Callable, Iterator

import pytest

from scripts.monitoring.load import Load
from scripts.monitoring.prometheus import ALERTS, SCRAPE_S, Prometheus, alerts, queries, scaled
from tests.support.daemon import Daemon
from tests.support.wire import ChoosingReceiver

NO_ENGINE = "unix:///nonexistent/engine.sock"
QUICK = {"DISPATCHER_MAX_RETRIES": "0", "DISPATCHER_MAX_REQUEUES": "0"}
WITHOUT_ENGINE = {"JobdEngineFailing", "JobdServerErrors", "JobdEventsParked"}
UNDER_LOAD = {"JobdManyJobsFail", "JobdQueueWaits", "JobdEventsPileUp", "JobdReceiverDown"}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with Prometheus(tmp_path_factory.mktemp("prometheus"), scaled(ALERTS.read_text())) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[ChoosingReceiver]:
    made = ChoosingReceiver(lambda path, n: 400 if path == "/refuses" else 204)
    yield made
    made.close()


def fires(prometheus: Prometheus, expected: set[str], meanwhile: Callable[[], object] = lambda: None) -> None:
    """Waits until each of the alerts has fired, not necessarily at the same time."""
    fired: set[str] = set()

    def all_fired() -> bool:
        meanwhile()
        fired.update(prometheus.firing())
        return expected <= fired

    try:
        prometheus.until(all_fired, "all alerts fire", limit_s=180)
    finally:
        print("fired:", sorted(fired))


def test_every_alert_has_its_trouble() -> None:
    assert WITHOUT_ENGINE | UNDER_LOAD | {"JobdDown"} == {rule["alert"] for rule in alerts()}


def test_alerts_of_a_daemon_without_an_engine(
    prometheus: Prometheus, make_daemon: Callable[..., Daemon], receiver: ChoosingReceiver
) -> None:
    daemon = make_daemon(environ={**QUICK, "DOCKER_HOST": NO_ENGINE}).start()
    prometheus.scrape([daemon.metrics])
    prometheus.until(lambda: prometheus.query("up == 1") != [], "Prometheus reads jobd")
    assert prometheus.firing() == set()
    callback = {"url": receiver.url("/refuses")}
    job_id = daemon.submit(id="refused", image="busybox:latest", command="true", callback=callback)
    daemon.call("POST", f"/v1/jobs/{job_id}/cancel", {})
    fires(prometheus, WITHOUT_ENGINE, lambda: daemon.call("GET", "/readyz"))
    daemon.stop()
    fires(prometheus, {"JobdDown"})


def test_alerts_and_queries_under_a_load_of_jobs(
    prometheus: Prometheus, make_daemon: Callable[..., Daemon], receiver: ChoosingReceiver, worker_image: str
) -> None:
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "4"}).start()
    prometheus.scrape([daemon.metrics])
    with Load(daemon.http, worker_image, receiver.url("/takes")) as load:
        load.hold_queue_s = 11.0
        prometheus.until(lambda: load.rounds >= 1, "jobs run")
        fires(prometheus, UNDER_LOAD, load.check)
        load.fail_pulls = True
        without = {expression for _, expression in queries()}

        def has_values() -> bool:
            load.check()
            for expression in list(without):
                found = prometheus.query(expression)
                if found and any(math.isfinite(float(series["value"][1])) for series in found):
                    without.discard(expression)
            return not without

        try:
            prometheus.until(has_values, "each query has values", limit_s=120)
        finally:
            print("without values:", sorted(without))
    assert SCRAPE_S < 1
