"""A sidecar's order: complete, and with the callback's key only in direct mode."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from jobd.jobs.port.model import Created, ImageFacts
from jobd.jobs.run.sidecar_order import SidecarSettings, sidecar_order
from jobd.jobs.state import facts
from jobd.wire.job import Callback
from jobd.wire.report import DirectCallback, encode_order

CALLBACK = Callback(url="http://h/x", events=["orchestrator.job.exit"], key="very-secret")


def settings(direct: bool) -> SidecarSettings:
    return SidecarSettings(direct=direct, callback_timeout_s=7, upload_timeout_s=8, upload_retries=9)


def test_the_order_holds_the_job_and_the_settings(job_with_files: Callable[..., Any]) -> None:
    walk = job_with_files(workspace="/data", timeout_seconds=60)
    walk.tell(
        facts.Admitted(),
        facts.ImageReady(ImageFacts("sha256:1", None)),
        facts.Prepared(Created("w", "s")),
    )
    order = sidecar_order(walk.record, walk.spec, settings(direct=False))
    assert (order.job_id, order.job_uid) == ("a", walk.record.uid)
    assert order.artifacts == walk.spec.artifacts
    assert (order.meta, order.workspace, order.timeout_s) == ({"k": "v"}, "/workspace", 60)
    assert (order.worker_uid, order.worker_gid) == (0, 0), "the engine's adapter sets these"
    assert (order.callback_timeout_s, order.upload_timeout_s, order.upload_retries) == (7, 8, 9)


def test_the_order_has_the_callback_in_direct_mode(job_with_files: Callable[..., Any]) -> None:
    walk = job_with_files(callback=CALLBACK)
    order = sidecar_order(walk.record, walk.spec, settings(direct=True))
    assert order.callback == DirectCallback(
        url="http://h/x", events=["orchestrator.job.exit"], key="very-secret"
    )


@pytest.mark.parametrize("callback", [CALLBACK, None])
def test_the_order_has_no_callback_and_no_key_otherwise(
    job_with_files: Callable[..., Any], callback: Callback | None
) -> None:
    walk = job_with_files(callback=callback)
    line = encode_order(sidecar_order(walk.record, walk.spec, settings(direct=False)))
    assert b"very-secret" not in line
    assert "callback" not in msgspec.json.decode(line)


def test_a_job_without_a_callback_has_none_in_direct_mode_either(job_with_files: Callable[..., Any]) -> None:
    walk = job_with_files()
    assert sidecar_order(walk.record, walk.spec, settings(direct=True)).callback is None
