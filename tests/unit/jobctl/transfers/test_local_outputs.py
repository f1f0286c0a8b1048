"""Local outputs: their declaration in a spec, and their stored destinations."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.errors import Misuse
from jobctl.job.spec.plan import Plan
from jobctl.transfers import local_outputs
from jobctl.transfers.local_outputs import declare_outputs, recall, remember
from jobctl.transfers.transfer_flags import Transfer

UID = "01a2285e39117ac3d3dad220"


def plan(*fetches: tuple[str, str], **spec: object) -> Plan:
    return Plan({"id": "a", "image": "b", **spec}, (), tuple(Transfer(*pair) for pair in fetches))


def declared(plan: Plan, *, keep: bool) -> dict[str, Any]:
    return declare_outputs(plan.spec, plan.fetches, keep=keep)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "jobctl" / "outputs"


def test_a_plan_without_local_outputs_declares_none() -> None:
    assert "outputs" not in declared(plan(), keep=True)


def test_local_outputs_are_declared_without_their_destinations() -> None:
    spec = declared(plan(("r.txt", "/home/x/r.txt"), ("out/", "dir"), (".", "all")), keep=False)
    assert spec["outputs"] == [{"path": "r.txt"}, {"path": "out"}, {"path": "."}]


def test_outputs_of_a_detached_job_are_declared_as_kept() -> None:
    spec = declared(plan(("a", "x"), ("a", "y"), outputs=[{"path": "a"}, {"path": "b"}]), keep=True)
    assert spec["outputs"] == [{"path": "a", "keep": True}, {"path": "b"}]


def test_an_output_of_a_detached_job_cannot_go_to_stdout() -> None:
    with pytest.raises(Misuse, match="attached"):
        declared(plan(("a", "-")), keep=True)
    assert declared(plan(("a", "-")), keep=False)["outputs"] == [{"path": "a"}]


def test_outputs_of_the_job_file_must_be_a_list() -> None:
    with pytest.raises(Misuse) as refused:
        declared(plan(("a", "x"), outputs={"path": "a"}), keep=False)
    assert refused.value.field == "outputs"


def test_destinations_are_stored_as_absolute_paths(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(state.parent.parent)
    remember(UID, (Transfer("a", "x"), Transfer("b", "new/"), Transfer("c", ".")))
    here = Path.cwd()
    wanted = (Transfer("a", f"{here}/x"), Transfer("b", f"{here}/new/"), Transfer("c", f"{here}/"))
    monkeypatch.chdir("/")
    assert recall(UID) == (wanted, False)
    remember(UID, recall(UID)[0], fetched=True)
    assert recall(UID) == (wanted, True)
    assert [(path.name, path.stat().st_mode & 0o777) for path in state.iterdir()] == [(f"{UID}.json", 0o600)]


def test_old_files_of_destinations_are_removed(state: Path) -> None:
    remember(UID, (Transfer("a", "/x"),))
    os.utime(state / f"{UID}.json", (0, 0))
    remember("another", (Transfer("a", "/x"),))
    assert [path.name for path in state.iterdir()] == ["another.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"outputs": 3, "fetched": 1}', b'{"outputs": [["a"]]}', b"\xff"]
)
def test_an_unreadable_file_of_destinations_counts_as_missing(state: Path, content: bytes) -> None:
    remember(UID, (Transfer("a", "/x"),))
    (state / f"{UID}.json").write_bytes(content)
    assert recall(UID) == ((), False)


@given(st.text(max_size=80))
def test_a_daemons_uid_is_no_path(uid: str) -> None:
    found = local_outputs._UID.match(uid)
    assert found is None or (uid.isascii() and uid.isalnum())
