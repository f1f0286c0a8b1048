"""Direct mode and proxy mode of the whole program."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import standardwebhooks

from jobd.wire.artifact import Artifact, Write
from jobd.wire.report import (
    ArtifactDone,
    DirectCallback,
    InternalReports,
    Ready,
    encode_order,
)
from jobd.wire.signing import verify_256
from tests.integration.sidecar.orders import order_of

Variables = Callable[..., dict[str, str]]
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize("by_variables", [True, False])
def test_direct_mode_signs_and_retries_under_one_id(
    start: Any, server: Any, root: Path, variables: Variables, by_variables: bool
) -> None:
    hook = server.on("/hook", server.answer(503), server.answer(204))
    artifacts = [
        {"id": "w", "type": "write", "in": '{"größe": 1}', "out": "x"},
        {"id": "r", "type": "read", "in": "x", "depends": "w"},
        {"id": "bad", "type": "read", "in": "none", "depends": "job", "optional": True},
        {"id": "not", "type": "read", "in": "x", "depends": "job", "when": "failure"},
    ]
    if by_variables:
        program = start(
            **variables(*artifacts),
            CALLBACK_URL=hook + "?t=sesame",
            CALLBACK_KEY=KEY,
            JOB_META='{"team":"blue"}',
        )
    else:
        order = order_of(
            root,
            *msgspec.convert(artifacts, list[Artifact]),
            callback=DirectCallback(url=hook + "?t=sesame", key=KEY),
            meta={"team": "blue"},
        )
        program = start(encode_order(order))
    program.until(Ready)
    program.process.send_signal(signal.SIGUSR1)
    assert program.end() == 0
    done = {r.artifact_id: r for r in program.reports if isinstance(r, ArtifactDone)}
    assert {id: r.sent for id, r in done.items()} == {"w": True, "r": True, "bad": True, "not": False}
    posts = server.seen
    assert [json.loads(p.body)["data"]["artifactId"] for p in posts] == ["w", "w", "r", "bad"]
    assert posts[0].body == posts[1].body
    for post in posts:
        event = json.loads(post.body)
        standardwebhooks.Webhook(KEY).verify(post.body, post.headers)
        assert verify_256(KEY, post.body, post.headers["X-Signature-256"])
        assert post.headers["Content-Type"] == "application/cloudevents+json"
        assert post.headers["Ce-Id"] == event["id"] == post.headers["Webhook-Id"]
        assert (event["specversion"], event["type"], event["source"], event["subject"]) == (
            "1.0",
            "orchestrator.job.artifact",
            "orchestrator/sidecar",
            "job-1",
        )
        assert "jobsequence" not in event
    data = {p["artifactId"]: p for p in (json.loads(post.body)["data"] for post in posts)}
    assert data["r"] == {
        "jobId": "job-1",
        "artifactId": "r",
        "artifactType": "read",
        "status": "success",
        "content": {"größe": 1},
        "meta": {"team": "blue"},
    }
    assert data["bad"]["status"] == "failed"
    assert "does not exist" in data["bad"]["error"]
    assert "sesame" not in str(program.reports) + program.stderr()


def test_direct_mode_without_a_receiver_leaves_the_events_to_jobd(
    start: Any, server: Any, root: Path
) -> None:
    order = order_of(
        root,
        *(Write(id=f"w{n}", source="x", out="x") for n in range(3)),
        callback=DirectCallback(url=server.on("/hook", server.answer(410)) + "?t=sesame"),
    )
    program = start(encode_order(order))
    assert program.end() == 0
    assert [r.sent for r in program.reports if isinstance(r, ArtifactDone)] == [False] * 3
    assert len(server.seen) == 1  # 410: the callback is gone
    assert "X-Signature-256" not in server.seen[0].headers
    stderr = program.stderr()
    assert "was not delivered" in stderr
    assert "sesame" not in stderr


def test_the_filter_and_the_timeout_of_the_callback_apply(
    start: Any, server: Any, root: Path, variables: Variables
) -> None:
    artifact = {"id": "w", "type": "write", "in": "x", "out": "x"}
    hook = server.on("/hook", server.stall)
    filtered = start(
        **variables(artifact),
        CALLBACK_URL=hook,
        CALLBACK_EVENTS="orchestrator.job.exit",
        CALLBACK_TIMEOUT="1h",
    )
    assert filtered.end() == 0
    assert server.seen == []
    slow = start(**variables(artifact), CALLBACK_URL=hook, CALLBACK_TIMEOUT="100ms")
    assert slow.end() == 0
    assert len(server.seen) == 1
    assert "not finished within 0.1 seconds" in slow.stderr()


def test_proxy_mode_posts_the_same_reports_with_the_token(
    start: Any, server: Any, root: Path, variables: Variables
) -> None:
    server.on("/internal/events", server.answer(503), server.answer(202))
    large = "\N{SNOWMAN}" * 80_000
    given = variables(
        {"id": "w", "type": "write", "in": large, "out": "x"},
        *({"id": f"r{n}", "type": "read", "in": "x", "depends": "job"} for n in range(4)),
    )
    given["ARTIFACTS_JSON"] = given["ARTIFACTS_JSON"].replace(json.dumps(large), '"%s"' % ("x" * 100_000))
    program = start(
        **given, CALLBACK_PROXY_URL=server.url + "/", JOB_TOKEN="tok-sesame", CALLBACK_URL="http://h.invalid/"
    )
    program.until(Ready)
    program.process.send_signal(signal.SIGUSR1)
    assert program.end() == 0
    assert all(s.headers["Authorization"] == "Bearer tok-sesame" for s in server.seen)
    assert all(len(s.body) < 1 << 20 for s in server.seen)
    bodies = [msgspec.json.decode(s.body, type=InternalReports) for s in server.seen[1:]]
    assert {b.job_id for b in bodies} == {"job-1"}
    assert [r for b in bodies for r in b.reports] == program.reports
    assert "sesame" not in program.stderr()


def test_proxy_mode_without_a_daemon_still_does_the_work(
    start: Any, server: Any, root: Path, variables: Variables
) -> None:
    server.on("/internal/events", server.answer(401))
    program = start(
        **variables({"id": "w", "type": "write", "in": "x", "out": "x"}),
        CALLBACK_PROXY_URL=server.url,
        JOB_TOKEN="t",
    )
    assert program.end() == 0
    assert (root / "x").read_text() == "x"
    assert "4 reports are not sent yet" in program.stderr()
