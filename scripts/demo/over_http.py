"""The demo's first part: one job over the HTTP API, with every kind of artifact, live logs and signed callbacks."""

import hashlib
import io
import json
import secrets
import tarfile
from pathlib import Path
from typing import Any

from scripts.cluster_daemon import on_cluster
from scripts.daemon import Daemon
from scripts.demo.data import agree, by_month, packed, parsed
from scripts.demo.receiver import Receiver, Sink, Source
from scripts.demo.story import Difference, Story, wait_for

HERE = Path(__file__).parent
INPUTS = ("source", "data", "parameters", "program")
OUTPUTS = ("summary", "names", "bundle", "delivery")


def spec(job_id: str, archive: bytes, source: Source, sink: Sink, receiver: Receiver) -> dict[str, Any]:
    """Returns the job as a back end would POST it."""
    return {
        "id": job_id,
        "image": "busybox:latest",
        "command": (HERE / "job.sh").read_text(),
        "environment": {"GATE": source.url("gate")},
        "cpu": 1,
        "memory": 64,
        "timeoutSeconds": 60,
        "meta": {"purpose": "demo"},
        "artifacts": [
            {
                "id": "source",
                "type": "download",
                "in": source.url("sf-2010.tar.gz"),
                "out": "in/sf-2010.tar.gz",
                "sha256": hashlib.sha256(archive).hexdigest(),
            },
            {
                "id": "data",
                "type": "unarchive",
                "in": "in/sf-2010.tar.gz",
                "out": "data",
                "subdir": "data",
                "depends": "source",
            },
            {"id": "parameters", "type": "write", "in": "UNIT=celsius\nDIGITS=3\n", "out": "parameters"},
            {
                "id": "program",
                "type": "write",
                "in": (HERE / "monthly.sh").read_text(),
                "out": "monthly.sh",
                "mode": "0755",
            },
            {"id": "summary", "type": "read", "in": "results/summary.json", "depends": "job"},
            {"id": "names", "type": "list", "in": "results", "excludes": ["*.log"], "depends": "job"},
            {
                "id": "bundle",
                "type": "archive",
                "in": "results",
                "out": "out/results.tar.gz",
                "depends": "job",
            },
            {
                "id": "delivery",
                "type": "upload",
                "in": "out/results.tar.gz",
                "out": sink.url("results.tar.gz"),
                "depends": "bundle",
            },
        ],
        "callback": {"url": receiver.url("events"), "key": receiver.key},
    }


def over_http(story: Story, jobd: Daemon, job_id: str, data: Path) -> None:
    """Runs the job and checks all its results.

    Raises:
        Difference: a check fails.
    """
    archive = packed(data.read_bytes())
    key = "whsec_" + secrets.token_hex(24)  # hexadecimal digits are base64 digits too
    with Source() as source, Sink() as sink, Receiver(key) as receiver:
        source.files["sf-2010.tar.gz"] = archive
        status, answer = jobd.request("POST", "/v1/jobs", spec(job_id, archive, source, sink, receiver))
        story.check(status == 202, f"POST /v1/jobs: 202, {job_id} is accepted", answer)
        _follow(story, jobd, job_id, source)
        wait_for(receiver.complete.is_set, "complete event")
        job = jobd.request("GET", f"/v1/jobs/{job_id}")[1]
        ended = (job["status"], job.get("exitCode"))
        story.check(ended == ("completed", 0), "the job is completed, exit code 0", job)
        _events(story, receiver)
        _results(story, receiver, sink, data.read_text())


def _follow(story: Story, jobd: Daemon, job_id: str, source: Source) -> None:
    """Follows the log to its end. The worker waits until its first line was seen here, which shows that the log is live."""
    seen: list[dict[str, Any]] = []
    for frame in jobd.lines(f"/v1/jobs/{job_id}/logs?follow=1"):
        if "end" in frame:
            break
        seen.append(frame)
        story.line(f"{frame['stream']} | {frame['line']}")
        source.opened.set()
    else:
        raise Difference("the log stream broke off without its end frame")
    whole = [frame["seq"] for frame in seen] == list(range(1, 15))
    story.check(whole, f"{len(seen)} log lines, followed live, numbered without a gap", seen)
    # A cluster's log is one stream: there this line, which goes to stderr, counts as one of stdout.
    last = [frame["line"] for frame in seen if frame["stream"] == ("stdout" if on_cluster() else "stderr")][
        -1:
    ]
    story.check(
        last == ["done; this line has no newline at its end"], "a last line without a newline is there", last
    )


def _events(story: Story, receiver: Receiver) -> None:
    """Checks the events: signed, without gaps, each once, in a valid order."""
    kinds = [event["type"].removeprefix("orchestrator.job.") for event in receiver.events]
    names = [event["data"].get("artifactId", "") for event in receiver.events]
    story.line(", ".join(f"{kind} {name}".rstrip() for kind, name in zip(kinds, names, strict=True)))
    story.check(
        not receiver.refused,
        f"{len(kinds)} events arrived, each verified by both of its signatures",
        receiver.refused,
    )
    sequence = [event["jobsequence"] for event in receiver.events]
    story.check(sequence == list(range(1, len(kinds) + 1)), "jobsequence runs from 1 without a gap", sequence)
    story.check(len({event["id"] for event in receiver.events}) == len(kinds), "no event came twice")
    once = all(kinds.count(kind) == 1 for kind in ("start", "exit", "complete")) and kinds.count("log") > 0
    story.check(
        once and kinds[-1] == "complete", "one start, logs, one exit, and complete is the last", kinds
    )
    start, end = kinds.index("start"), kinds.index("exit")
    known = set(names) == {*INPUTS, *OUTPUTS, ""}
    ordered = (
        known and all(names.index(n) < start for n in INPUTS) and all(names.index(n) > end for n in OUTPUTS)
    )
    story.check(ordered, "artifacts before the start are the inputs, after the exit the outputs", names)


def _results(story: Story, receiver: Receiver, sink: Sink, text: str) -> None:
    """Compares the job's results, from its event and its upload, with Python's own."""
    expected = by_month(text, "celsius")
    artifacts = {
        event["data"]["artifactId"]: event["data"]
        for event in receiver.events
        if "artifactId" in event["data"]
    }
    failed = {name: data.get("error") for name, data in artifacts.items() if data["status"] != "success"}
    story.check(not failed, f"all {len(artifacts)} artifacts succeeded", failed)
    summary = artifacts["summary"]["content"]
    same = agree(summary["months"], expected, 3) and summary["rows"] == len(text.splitlines()) - 1
    story.check(
        same,
        f"read: the means of {summary['rows']} hours are what Python computes from the same file",
        summary,
    )
    listed = json.dumps(artifacts["names"]["content"])
    complete = "monthly.csv" in listed and "summary.json" in listed and "worker.log" not in listed
    story.check(complete, "list: the names, less those that `excludes` leaves out", listed)
    story.check(sink.files.keys() == {"results.tar.gz"}, "upload: the archive was PUT", list(sink.files))
    with tarfile.open(fileobj=io.BytesIO(sink.files["results.tar.gz"])) as tar:
        tables = [
            tar.extractfile(member) for member in tar.getmembers() if member.name.endswith("monthly.csv")
        ]
        table = tables[0].read().decode() if tables and tables[0] else ""
    story.check(agree(parsed(table), expected, 3), "archive: the table in it is the same", table)
