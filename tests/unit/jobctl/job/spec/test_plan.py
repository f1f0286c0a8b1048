"""Flags and a job file to a spec: flags override, and what is typed wrong is named."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobctl.commands.jobs.run import EVENT_TYPES
from jobctl.commands.jobs.run import RETRY_REASONS as RETRY_WORDS
from jobctl.connection.config import Default
from jobctl.errors import Misuse
from jobctl.job.spec.environment import environment
from jobctl.job.spec.plan import Flags, generated_id, plan
from jobd.wire.event import SOURCES
from jobd.wire.job import RETRY_REASONS
from jobd.wire.validation.job_spec import convert_spec
from jobd.wire.validation.limits import MAX_ID
from jobd.wire.validation.names import id_problem

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)
words = st.text(max_size=12).filter(lambda text: all(word.strip() for word in text.split(",")))
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


def planned(flags: Any = None, file: Any = None, environ: Any = None) -> Any:
    return plan(flags or Flags(image="busybox"), file or {}, environ or {}, "abc123")


def test_the_smallest_job() -> None:
    assert planned().spec == {"image": "busybox", "id": "busybox-abc123"}


def test_all_flags_together_are_a_valid_spec() -> None:
    flags = Flags(
        image="a/b:1", command=["x", "-y"], name="n", env=["A=1", "B=", "HOME"], workdir="/w", memory="1.5g", cpus=0.5,
        pids_limit=9, user="1000:1000", pull="never", platform="linux/amd64", runtime="runc", entrypoint="/bin/e",
        labels=["k=v=w"], meta=["m="], timeout="1h30m", callback="http://localhost:1/x", callback_key="s",
        inputs=["d/=https://h/x.tar.gz?sig=1", "local=./here"], outputs=["o=https://h/o", "o2=./o2"],
        writes=["w.txt=a=b", "empty="], reads=["r.json"], env_files=[("f", "# no\n\nC=3\nA=0\n")],
    )  # fmt: skip
    made = planned(flags, environ={"HOME": "/root"})
    spec = convert_spec(made.spec)
    assert (spec.memory, spec.timeout_seconds, spec.cpu) == (1536, 5400, 0.5)
    assert spec.environment == {"C": "3", "A": "1", "B": "", "HOME": "/root"}
    assert spec.labels == {"k": "v=w"}
    assert spec.meta == {"m": ""}
    assert made.spec["artifacts"] == [
        {"id": "in-1", "type": "download", "in": "https://h/x.tar.gz?sig=1", "out": "d/x.tar.gz"},
        {"id": "write-1", "type": "write", "in": "a=b", "out": "w.txt"},
        {"id": "write-2", "type": "write", "in": "", "out": "empty"},
        {"id": "out-1", "type": "upload", "in": "o", "out": "https://h/o", "depends": "job"},
        {"id": "read-1", "type": "read", "in": "r.json", "depends": "job"},
    ]
    assert [(c.path, c.local) for c in made.uploads] == [("local", "./here")]
    assert [(c.path, c.local) for c in made.fetches] == [("o2", "./o2")]


def test_flags_override_the_file_and_maps_and_artifacts_are_merged() -> None:
    file = {
        "id": "f", "image": "old", "command": "sh line", "environment": {"A": "1", "B": "2"}, "memory": 64,
        "artifacts": [{"id": "read-1", "type": "read", "in": "x"}], "callback": {"url": "http://x", "events": []},
    }  # fmt: skip
    flags = Flags(image="new", command=["c"], env=["B=3"], reads=["y"], callback_key="k")
    spec = planned(flags, file).spec
    assert spec["image"] == "new"
    assert spec["id"] == "f"
    assert spec["command"] == ["c"]
    assert spec["environment"] == {"A": "1", "B": "3"}
    assert spec["memory"] == 64
    assert [a["id"] for a in spec["artifacts"]] == ["read-1", "read-2"]
    assert spec["callback"] == {"url": "http://x", "events": [], "key": "k"}
    assert file["environment"] == {"A": "1", "B": "2"}, "the file's own tree is left as it was"


def test_a_shell_line_takes_the_place_of_command_and_entrypoint() -> None:
    file = {"image": "i", "command": ["a"], "entrypoint": ["b"]}
    assert planned(Flags(shell="x | y"), file).spec == {"image": "i", "command": "x | y", "id": "i-abc123"}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (Flags(), "no image"),
        (Flags(image="i", memory="512"), "needs a unit: 512m"),
        (Flags(image="i", memory="lots"), "not an amount"),
        (Flags(image="i", timeout="soon"), "--timeout"),
        (Flags(image="i", timeout="0"), "more than 0"),
        (Flags(image="i", cpus=0), "--cpus"),
        (Flags(image="i", cpus=math.nan), "--cpus"),
        (Flags(image="i", env=["=x"]), "does not name a variable"),
        (Flags(image="i", env_files=[("vars", "A=1\nB C=2\n")]), "vars:2"),
        (Flags(image="i", labels=["x"]), "--label 'x' must be KEY=VALUE"),
        (Flags(image="i", shell="a", command=["b"]), "contradict each other"),
        (Flags(image="i", callback_key="k"), "needs --callback"),
        (Flags(image="i", callback=""), "--callback needs a URL"),
        (Flags(image="i", inputs=["x"]), "PATH=SOURCE"),
        (Flags(image="i", inputs=["/abs=y"]), "inside the workspace"),
        (Flags(image="i", outputs=["a/../b=y"]), "inside the workspace"),
        (Flags(image="i", inputs=["d/=https://host"]), "no file name"),
        (Flags(image="i", inputs=["x=ftp://host/y"]), "ftp:// is not supported"),
        (Flags(image="i", reads=["../x"]), "inside the workspace"),
    ],
)
def test_impossible_flags_are_refused_with_a_text(flags: Any, words: Any) -> None:
    with pytest.raises(Misuse) as caught:
        planned(flags)
    assert words in caught.value.message


@pytest.mark.parametrize(
    "host", ["localhost:9000", "LOCALHOST", "127.1.2.3:80", "[::1]:8", "0.0.0.0:1", "a.localhost"]
)
def test_localhost_is_explained_with_the_url_that_works(host: Any) -> None:
    for flags in (
        Flags(image="i", inputs=[f"x=http://{host}/p?q"]),
        Flags(image="i", outputs=[f"x=http://{host}/p?q"]),
    ):
        with pytest.raises(Misuse) as caught:
            planned(flags)
        assert "the container itself" in caught.value.message
        assert caught.value.hint is not None
        assert "http://host.docker.internal" in caught.value.hint
        assert caught.value.hint.endswith("/p?q")


def test_the_callback_is_sent_by_the_daemon_so_localhost_is_right() -> None:
    assert planned(Flags(image="i", callback="http://localhost:9/x")).spec["callback"] == {
        "url": "http://localhost:9/x"
    }


@settings(max_examples=25)
@given(st.dictionaries(names, texts, max_size=5), st.dictionaries(names, texts, max_size=5))
def test_a_flag_overrides_a_variable_of_a_file(in_file: Any, in_flags: Any) -> None:
    plain = {k: v for k, v in in_file.items() if v.splitlines() in ([v], []) and v[:1] not in ("'", '"')}
    lines = "\n".join(f"{k}={v}" for k, v in plain.items())
    flags = [f"{k}={v}" for k, v in in_flags.items()]
    found = environment(flags, [("f", lines)], {})
    assert {k: found[k] for k in in_flags} == in_flags


@given(st.text(max_size=300))
def test_generated_ids_are_always_valid(image: Any) -> None:
    made = generated_id(image, "0af3b1")
    assert id_problem(made) is None
    assert len(made) <= MAX_ID


@settings(max_examples=25)
@given(
    st.lists(st.tuples(names, st.text(max_size=30)), max_size=5), st.lists(st.text(max_size=30), max_size=5)
)
def test_transfers_are_planned_or_refused_and_never_crash(pairs: Any, raw: Any) -> None:
    flags = Flags(image="i", inputs=[f"{a}={b}" for a, b in pairs] + raw, outputs=raw, writes=raw, reads=raw)
    try:
        made = planned(flags)
    except Misuse:
        return
    ids = [artifact["id"] for artifact in made.spec.get("artifacts", [])]
    assert len(ids) == len(set(ids))
    assert len(ids) + len(made.uploads) + len(made.fetches) == len(pairs) + 4 * len(raw)


def test_a_priority_and_a_group_override_the_file() -> None:
    spec = planned(Flags(image="i", priority=0, group="gpu"), {"priority": 5, "group": "night"}).spec
    assert (spec["priority"], spec["group"]) == (0, "gpu")


@pytest.mark.parametrize(
    ("flag", "gpus"), [("2", 2), ("0", 0), ("-1", -1), ("all", "all"), ("x", "x"), ("\u0662", "\u0662")]
)
def test_gpus_are_a_number_or_all(flag: str, gpus: object) -> None:
    assert planned(Flags(image="i", gpus=flag), {"gpus": 1}).spec["gpus"] == gpus


@pytest.mark.parametrize("given", [[""], [","], [" "], ["a,"], ["a,,b"], ["a", ""]])
@pytest.mark.parametrize(
    ("flag", "words", "field"),
    [
        ("after", "--after needs the id of a job", "after"),
        ("retry_on", "--retry-on needs an exit code or a reason", "retryOn"),
        ("callback_events", "--callback-events needs the type of an event", "callback.events"),
        ("cap_drop", "--cap-drop needs the name of a capability", "capDrop"),
        ("cap_add", "--cap-add needs the name of a capability", "capAdd"),
    ],
)
def test_an_empty_word_is_refused_and_is_not_the_same_as_no_flag(
    flag: str, words: str, field: str, given: list[str]
) -> None:
    one: dict[str, Any] = {flag: given}
    flags = Flags(image="i", retries=1, callback="http://h/", **one)
    with pytest.raises(Misuse) as caught:
        planned(flags, {"after": [{"job": "z"}], "capDrop": ["ALL"], "retryOn": [1]})
    assert (caught.value.message, caught.value.field) == (words, field)


@pytest.mark.parametrize(
    ("flag", "text"),
    [("group", "--group needs the name of a group"), ("set", "--set needs the name of a set")],
)
def test_an_empty_name_is_refused_and_is_not_the_same_as_no_flag(flag: str, text: str) -> None:
    one: dict[str, Any] = {flag: ""}
    with pytest.raises(Misuse) as caught:
        planned(Flags(image="i", **one))
    assert (caught.value.message, caught.value.field) == (text, flag)


def test_dependencies_have_their_conditions() -> None:
    spec = planned(Flags(image="i", after=["a,b:any", "c:failed"]), {"after": [{"job": "z"}]}).spec
    assert spec["after"] == [{"job": "a"}, {"job": "b", "on": "any"}, {"job": "c", "on": "failed"}]


def test_retries_have_their_reasons() -> None:
    flags = Flags(image="i", retries=3, retry_on=["75, 76", "timeout", "75"])
    spec = planned(flags).spec
    assert (spec["retries"], spec["retryOn"]) == (3, [75, 76, "timeout"])
    assert convert_spec(spec).retry_on == [75, 76, "timeout"]
    from_file = planned(Flags(image="i", retry_on=["1"]), {"retries": 2}).spec
    assert (from_file["retries"], from_file["retryOn"]) == (2, [1])
    with pytest.raises(Misuse, match="needs --retries"):
        planned(Flags(image="i", retry_on=["1"]))


def test_callback_events_may_have_short_names() -> None:
    flags = Flags(
        image="i",
        callback="http://h/",
        callback_events=["exit,orchestrator.job.complete"],
        callback_batch=True,
    )
    callback = convert_spec(planned(flags).spec).callback
    assert callback is not None
    assert callback.events == ["orchestrator.job.exit", "orchestrator.job.complete"]
    assert callback.batch
    file = {"callback": {"url": "http://h/", "batch": True}}
    assert planned(Flags(image="i", callback_key="k"), file).spec["callback"] == {
        "url": "http://h/", "batch": True, "key": "k",
    }  # fmt: skip
    with pytest.raises(Misuse, match="--callback-batch needs --callback URL"):
        planned(Flags(image="i", callback_batch=True))


@given(st.lists(words, max_size=4), st.lists(words, max_size=4))
def test_any_words_for_retries_and_events_make_a_plan(causes: list[str], events: list[str]) -> None:
    made = planned(
        Flags(image="i", retries=1, retry_on=causes, callback="http://h/", callback_events=events)
    ).spec
    assert all(cause and "," not in str(cause) for cause in made.get("retryOn", []) if isinstance(cause, str))
    assert len(made.get("retryOn", [])) <= sum(cause.count(",") + 1 for cause in causes)


def test_the_help_has_the_contracts_values() -> None:
    assert set(EVENT_TYPES.split(", ")) == {kind.rpartition(".")[2] for kind in SOURCES}
    assert set(RETRY_WORDS.split(", ")) == set(RETRY_REASONS)


def test_a_null_field_of_the_file_is_absent() -> None:
    nulls = dict.fromkeys(
        ("id", "environment", "labels", "meta", "secrets", "artifacts", "callback", "command")
    )
    flags = Flags(image="busybox", env=["A=1"], labels=["k=v"], meta=["m=n"], writes=["w=x"], callback="http://h/", secrets=[("s", "t")])  # fmt: skip
    assert convert_spec(planned(flags, nulls).spec) == convert_spec(planned(flags).spec)
    assert convert_spec(planned(file=nulls).spec) == convert_spec(planned().spec)
    with pytest.raises(Misuse, match="--callback URL"):
        planned(Flags(image="busybox", callback_key="k"), {"callback": {"url": ""}})


@pytest.mark.parametrize(
    ("flags", "file", "cpu"),
    [({}, {}, 0.5), ({"cpus": 2.0}, {}, 2.0), ({}, {"cpu": 3}, 3), ({}, {"cpu": None}, 0.5), ({"cpus": 2.0}, {"cpu": 3}, 2.0)],
)  # fmt: skip
def test_a_workstations_default_applies_to_unset_fields(flags: Any, file: Any, cpu: float) -> None:
    given = [Default("cpus", "0.5", "JOBCTL_DEFAULT_CPUS")]
    assert plan(Flags(image="i", **flags), file, {}, "x", given).spec["cpu"] == cpu


def test_an_invalid_default_is_named_where_it_applies() -> None:
    wrong = [Default("memory", "2x", "JOBCTL_DEFAULT_MEMORY")]
    with pytest.raises(Misuse, match=r"^JOBCTL_DEFAULT_MEMORY: '2x' is not an amount"):
        plan(Flags(image="i"), {}, {}, "x", wrong)
    assert plan(Flags(image="i", memory="1g"), {}, {}, "x", wrong).spec["memory"] == 1024
