"""What a job's view says beyond the reason of its failure: files, memory, signals."""

from typing import Any

from jobctl.output.explanation.explanation import explanation


def test_an_output_that_was_not_written_has_its_own_remedies() -> None:
    error = "x: does not exist in the workspace; the workspace holds y"
    job: dict[str, Any] = {"id": "a", "status": "failed", "reason": "output-failed", "error": "why"}
    of_sidecar = {**job, "artifacts": [{"id": "r", "type": "read", "status": "failed", "error": error}]}
    of_client = {**job, "outputs": [{"path": "x", "status": "missing"}]}
    for one in (of_sidecar, of_client):
        explained = explanation(one)
        assert explained.what == "the command succeeded, but an output is not where the job names it"
        assert not any("retry" in remedy for remedy in explained.remedies), (
            "the same outputs would fail again"
        )
    upload = {**job, "artifacts": [{"id": "u", "type": "upload", "status": "failed", "error": "503"}]}
    assert explanation(upload).remedies[0] == "repeat only the outputs: jobctl retry --outputs a"


def test_only_a_failed_download_has_a_remedy_for_urls() -> None:
    job: dict[str, Any] = {"id": "a", "status": "failed", "reason": "input-failed"}
    failed = {"id": "x", "status": "failed", "error": "why"}
    assert "URL" in "".join(explanation({**job, "artifacts": [{**failed, "type": "download"}]}).remedies)
    assert "URL" not in "".join(explanation({**job, "artifacts": [{**failed, "type": "unarchive"}]}).remedies)


def test_out_of_memory_has_the_limit_and_the_measured_use() -> None:
    job = {"id": "a", "status": "failed", "reason": "oom-killed", "limits": {"memory": 64}, "error": "why"}
    assert explanation(job).what.endswith("more than the job's 64 MiB of memory")
    measured = explanation({**job, "usage": {"memoryPeakBytes": 66_060_288}})
    assert measured.what.endswith("more than the job's 64 MiB of memory (measured use: up to 63.0 MiB)")
    assert measured.cause == "", "the error says the same"


def test_only_a_signal_that_jobd_did_not_send_ended_the_command() -> None:
    job = {"id": "a", "status": "failed", "reason": "exit-code"}
    assert explanation({**job, "exitCode": 139}).ended_by_signal
    assert not explanation({**job, "exitCode": 3}).ended_by_signal
    assert not explanation({**job, "exitCode": 143, "reason": "timeout"}).ended_by_signal
