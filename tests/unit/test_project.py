"""What surrounds the code stays true to it: documents, examples, units, dashboard and alerts."""

import configparser
import functools
import importlib.util
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jobctl.job.spec.file_check import check_file
from jobd.metrics.deliveries import DeliveryMetrics
from jobd.metrics.metrics import Metrics
from jobd.settings.config import NAMES
from jobd.wire.problem import InvalidSpec
from jobd.wire.signing import signature_256
from jobd.wire.validation.job_spec import convert_spec
from scripts import check_docs

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(p for p in (ROOT / "examples").iterdir() if p.suffix in (".yaml", ".json"))
METRIC = re.compile(r"\b((?:http|job|jobs|dispatcher|engine|process)_[a-z_]+)\b")
SELECTED = re.compile(r"([a-z_]+?)(?:_bucket|_count|_sum)?\{([^}]*)\}")
GROUPED = re.compile(r"by \(([^)]*)\) \((?:rate\()?([a-z_]+?)(?:_bucket|_count|_sum)?[\[{)]")
TARGET_LABELS = {"job", "instance"}
"""Prometheus itself gives them to what it reads."""


def test_the_documents_are_true() -> None:
    assert check_docs.problems() == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_a_valid_job(path: Path) -> None:
    fields = yaml.safe_load(path.read_text())
    if "jobs" in fields:
        checked = check_file(fields)
        assert checked.problems == []
        assert {job.tree["image"] for job in checked.jobs} == {"busybox:latest"}
        return
    tree = {"id": "example", **fields}
    assert convert_spec(tree).image == "busybox:latest"


def test_a_wrong_example_would_be_found() -> None:
    tree = yaml.safe_load((ROOT / "examples" / "files.yaml").read_text())
    tree["artifacts"][0]["sha265"] = "0"
    with pytest.raises(InvalidSpec, match=r"artifacts\[0\].sha265"):
        convert_spec(tree)


@given(body=st.binary(max_size=200), key=st.text(min_size=1, max_size=40))
def test_the_example_receiver_verifies_what_is_signed_and_nothing_else(body: bytes, key: str) -> None:
    receiver = _receiver()
    receiver.KEY = key
    assert receiver.verified(body, signature_256(key, body))
    assert not receiver.verified(body + b"x", signature_256(key, body))
    assert not receiver.verified(body, signature_256(key + "x", body))
    assert not receiver.verified(body, "")


def test_dashboard_and_alerts_name_metrics_that_exist() -> None:
    metrics = Metrics()
    DeliveryMetrics(metrics.registry)
    known = {sample for family in metrics.registry.collect() for sample in _samples(family.name, family.type)}
    dashboard = json.loads((ROOT / "deploy/grafana/dashboards/jobd.json").read_text())
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    expressions += [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    named = {name for expression in expressions for name in METRIC.findall(expression)}
    assert len(named) > 15
    labels = check_docs.metric_labels()
    assert named <= known | {*labels}
    assert "jobs_waiting" in named
    selected = [
        (name, re.findall(r"([a-z]+)[=!]", pairs))
        for expr in expressions
        for name, pairs in SELECTED.findall(expr)
    ]
    grouped = [(name, re.split(r", *", by)) for expr in expressions for by, name in GROUPED.findall(expr)]
    assert len(selected) > 3
    assert len(grouped) > 10
    for name, used in selected + grouped:
        assert set(used) <= {*labels.get(name, ()), *TARGET_LABELS, "le"}, name


def test_units_set_variables_that_exist() -> None:
    for path in (ROOT / "deploy" / "systemd").rglob("*.service"):
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
        unit.read(path)
        assert unit["Service"]["Type"] == "notify"
        names = {pair.partition("=")[0] for pair in unit["Service"]["Environment"].split()}
        assert names
        assert names <= NAMES


def test_the_compose_file_mounts_what_is_there() -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    mounts = [volume for service in compose["services"].values() for volume in service["volumes"]]
    for mount in (m for m in mounts if m.startswith("./")):
        assert (ROOT / "deploy" / mount.partition(":")[0]).exists(), mount


def test_programs_and_scripts_can_be_run() -> None:
    for name in (".ci/run", "scripts/engine", "scripts/venv"):
        assert os.access(ROOT / name, os.X_OK), name
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for target in scripts.values():
        assert importlib.util.find_spec(target.partition(":")[0]) is not None, target


def _samples(name: str, kind: str) -> set[str]:
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(kind, ("",))
    return {name + ending for ending in endings}


@functools.cache
def _receiver() -> Any:
    spec = importlib.util.spec_from_file_location("receiver", ROOT / "examples" / "receiver.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
