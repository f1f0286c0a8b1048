"""The shipped rules, unchanged, in the time of promtool: each alert is quiet first, and fires when its condition has lasted."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.monitoring.prometheus import ALERTS, CONFIG, alerts, program

BUCKETS = "0.1", "600", "1200", "+Inf"
SERIES: dict[str, dict[str, str]] = {
    "JobdDown": {'up{job="jobd"}': "1x20 0x200"},
    "JobdEngineFailing": {
        'engine_call_duration_seconds_count{call="ping",ok="true"}': "0+10x20 200+1x200",
        'engine_call_duration_seconds_count{call="ping",ok="false"}': "0x20 0+10x200",
    },
    "JobdServerErrors": {'http_errors_total{method="GET",path="/readyz",status="5xx"}': "0x20 0+10x200"},
    "JobdManyJobsFail": {
        'job_errors_total{image="a",success="false"}': "0x20 0+2x200",
        'job_duration_seconds_count{image="a",success="false"}': "0x20 0+2x200",
        'job_duration_seconds_count{image="a",success="true"}': "0+1x220",
    },
    "JobdQueueWaits": {
        **{f'job_queue_wait_seconds_bucket{{le="{le}"}}': "0+1x20 20x200" for le in BUCKETS[:2]},
        **{f'job_queue_wait_seconds_bucket{{le="{le}"}}': "0+1x220" for le in BUCKETS[2:]},
    },
    "JobdEventsParked": {"dispatcher_parked": "0x20 1x200"},
    "JobdEventsPileUp": {"dispatcher_queue_size": "9000x20 11000+100x200"},
    # Each probe of a receiver that does not answer makes its breaker half-open for a while.
    "JobdReceiverDown": {
        'dispatcher_breakers{state="open"}': "0x20 " + "1x2 0x1 " * 50,
        'dispatcher_breakers{state="half-open"}': "0x20 " + "0x2 1x1 " * 50,
    },
}
"""By alert: values every 15 seconds. The trouble begins after five minutes."""
QUIET, FIRING = "5m", "50m"


def test_the_configuration_is_valid() -> None:
    for what, path in (("config", CONFIG), ("rules", ALERTS)):
        done = subprocess.run(
            [program("promtool"), "check", what, path], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_case() -> None:
    assert {rule["alert"] for rule in alerts()} == set(SERIES)


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_fires_when_its_condition_has_lasted(rule: dict[str, Any], tmp_path: Path) -> None:
    name, labels = rule["alert"], dict(rule["labels"])
    if name == "JobdDown":
        labels["job"] = "jobd"
    fired = [{"exp_labels": labels, "exp_annotations": rule["annotations"]}]
    tests = {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [
                    {"series": series, "values": values} for series, values in SERIES[name].items()
                ],
                "alert_rule_test": [
                    {"eval_time": QUIET, "alertname": name, "exp_alerts": []},
                    {"eval_time": FIRING, "alertname": name, "exp_alerts": fired},
                ],
            }
        ],
    }
    path = tmp_path / "tests.yml"
    path.write_text(yaml.safe_dump(tests))
    done = subprocess.run(
        [program("promtool"), "test", "rules", path], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
