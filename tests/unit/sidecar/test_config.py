"""The order from variables: every one is read, all that is wrong is told at once, secrets are not repeated."""

import json

import pytest

from jobd.wire.artifact import Write
from jobd.wire.report import DirectCallback
from sidecar.config import InvalidEnvironment, from_env

ARTIFACTS = json.dumps([{"id": "w", "type": "write", "in": "x", "out": "y"}])
LEAST = {"JOB_ID": "j1", "ARTIFACTS_JSON": ARTIFACTS}


def test_defaults() -> None:
    order = from_env(LEAST)
    assert order.job_id == "j1"
    assert order.job_uid
    assert order.artifacts == [Write(id="w", source="x", out="y")]
    assert (order.workspace, order.timeout_s, order.meta) == ("/workspace", 1800, {})
    assert (order.callback_timeout_s, order.upload_timeout_s, order.upload_retries) == (30, 300, 3)
    assert (order.callback, order.proxy_url, order.token) == (None, None, None)


def test_every_variable_is_read() -> None:
    order = from_env(
        LEAST
        | {
            "CALLBACK_URL": "http://host/hook",
            "CALLBACK_EVENTS": "orchestrator.job.artifact, orchestrator.job.exit",
            "CALLBACK_KEY": "key",
            "CALLBACK_TIMEOUT": "1m30s",
            "UPLOAD_TIMEOUT": "250ms",
            "UPLOAD_RETRIES": "0",
            "TIMEOUT_SECONDS": "77",
            "SHARED_VOLUME_PATH": "/data",
            "JOB_META": '{"a":"b"}',
        }
    )
    events = ["orchestrator.job.artifact", "orchestrator.job.exit"]
    assert order.callback == DirectCallback(url="http://host/hook", events=events, key="key")
    assert (order.callback_timeout_s, order.upload_timeout_s, order.upload_retries) == (90, 0.25, 0)
    assert (order.timeout_s, order.workspace, order.meta) == (77, "/data", {"a": "b"})


def test_a_proxy_replaces_the_callback() -> None:
    order = from_env(
        LEAST | {"CALLBACK_URL": "http://h/", "CALLBACK_PROXY_URL": "http://proxy:8080", "JOB_TOKEN": "t0"}
    )
    assert (order.callback, order.proxy_url, order.token) == (None, "http://proxy:8080", "t0")


def test_empty_means_unset() -> None:
    assert (
        from_env(LEAST | {"UPLOAD_RETRIES": "", "CALLBACK_PROXY_URL": "", "JOB_META": ""}).upload_retries == 3
    )


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("JOB_ID", "", "JOB_ID: must not be empty"),
        ("JOB_ID", "-x", "JOB_ID: must start with"),
        ("JOB_META", "[]", "JOB_META: "),
        ("JOB_META", '{"a":1}', "JOB_META: "),
        ("ARTIFACTS_JSON", "[", "ARTIFACTS_JSON: "),
        ("ARTIFACTS_JSON", '[{"id":"a","type":"mend"}]', "[0].type: unknown artifact type"),
        ("ARTIFACTS_JSON", '[{"id":"a","type":"read","in":"../x"}]', "artifacts[0].in: must stay inside"),
        (
            "ARTIFACTS_JSON",
            '[{"id":"a","type":"read","in":"x","depends":"b"}]',
            "artifacts[0].depends: 'b' is neither",
        ),
        ("SHARED_VOLUME_PATH", "/proc/x", "SHARED_VOLUME_PATH: must not be below"),
        ("TIMEOUT_SECONDS", "-1", "TIMEOUT_SECONDS: '-1' is not a whole number"),
        ("TIMEOUT_SECONDS", "99999999", "TIMEOUT_SECONDS: must be at most"),
        ("UPLOAD_RETRIES", "1.5", "UPLOAD_RETRIES: '1.5' is not a whole number"),
        ("UPLOAD_RETRIES", "101", "UPLOAD_RETRIES: must be at most 100"),
        ("UPLOAD_TIMEOUT", "5", "UPLOAD_TIMEOUT: '5' is not a duration"),
        ("CALLBACK_TIMEOUT", "0s", "CALLBACK_TIMEOUT: must be more than 0"),
        ("CALLBACK_URL", "ftp://x", "CALLBACK_URL: must be an http:// or https:// URL"),
        ("CALLBACK_KEY", "k", "CALLBACK_KEY: needs CALLBACK_URL"),
        ("CALLBACK_EVENTS", "x", "CALLBACK_EVENTS: needs CALLBACK_URL"),
        ("CALLBACK_PROXY_URL", "http://p", "JOB_TOKEN: is required"),
        ("JOB_TOKEN", "secret", "JOB_TOKEN: needs CALLBACK_PROXY_URL"),
    ],
)
def test_only_the_wrong_variable_is_named(variable: str, value: str, words: str) -> None:
    with pytest.raises(InvalidEnvironment) as refused:
        from_env(LEAST | {variable: value})
    assert len(refused.value.problems) == 1, refused.value.problems
    assert refused.value.problems[0].startswith(variable if variable != "CALLBACK_PROXY_URL" else "JOB_TOKEN")
    assert words in refused.value.problems[0]


def test_all_problems_come_together_and_keep_secrets() -> None:
    with pytest.raises(InvalidEnvironment) as refused:
        from_env(
            {
                "ARTIFACTS_JSON": "{",
                "UPLOAD_TIMEOUT": "x",
                "CALLBACK_URL": "http://u:sesame@h:0/?sesame",
                "CALLBACK_EVENTS": "orchestrator.job.party",
                "CALLBACK_KEY": "sesame\0",
                "CALLBACK_PROXY_URL": "sesame",
                "JOB_TOKEN": "ses ame",
            }
        )
    named = {problem.partition(":")[0] for problem in refused.value.problems}
    assert named == {
        "JOB_ID",
        "ARTIFACTS_JSON",
        "UPLOAD_TIMEOUT",
        "CALLBACK_URL",
        "CALLBACK_EVENTS",
        "CALLBACK_KEY",
        "CALLBACK_PROXY_URL",
        "JOB_TOKEN",
    }
    assert "sesame" not in str(refused.value)
    assert "ses ame" not in str(refused.value)
