"""Which paths of an earlier workspace are brought to a job: what its artifacts name, each byte once."""

from hypothesis import given
from hypothesis import strategies as st

from jobd.jobs.port.model import JobRef, WorkOrder
from jobd.kubernetes.files.handover import sources_of
from jobd.wire.artifact import Artifact, JobFiles
from jobd.wire.job import JobSpec

NAMES = st.lists(st.sampled_from(["a", "b", "c"]), min_size=0, max_size=3).map(
    lambda parts: "/".join(parts) or "."
)


def order(*paths: str) -> WorkOrder:
    artifacts: list[Artifact] = [
        JobFiles(id=f"i{n}", job="e", source=path, out="o") for n, path in enumerate(paths)
    ]
    artifacts.append(JobFiles(id="other", job="another", source="z", out="o"))
    ref = JobRef(uid="u", id="j")
    return WorkOrder(ref, JobSpec(id="j", image="busybox", artifacts=artifacts), True, None, True)


def parts(path: str) -> list[str]:
    return [] if path == "." else path.split("/")


@given(st.lists(NAMES, max_size=5))
def test_every_path_is_brought_once(paths: list[str]) -> None:
    found = sources_of(order(*paths), "e")
    for path in paths:
        assert sum(parts(path)[: len(parts(one))] == parts(one) for one in found) == 1
    assert set(found) <= set(paths)


def test_paths_are_relative_and_normal() -> None:
    assert sources_of(order("./a//b/", "c/."), "e") == ["a/b", "c"]
    assert sources_of(order("a", "."), "e") == ["."]
    assert sources_of(order(), "e") == []
