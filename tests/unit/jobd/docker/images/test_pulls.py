"""How far a pull is, from the engine's messages."""

from jobd.docker.images.pulls import PullProgress
from jobd.jobs.port.model import ImagePull, Progress


def test_progress_adds_up_the_layers_and_does_not_flood() -> None:
    said: list[Progress] = []
    now = [0.0]
    progress = PullProgress(said.append, lambda: now[0])
    progress.note("Pulling from library/app", "1", None, None)
    for layer in ("a", "b"):
        for done in range(0, 1_000_001, 1000):
            progress.note("Downloading", layer, done, 2_000_000)
    assert said == [ImagePull(0, None)]
    now[0] = 1.0
    progress.note("Download complete", "a", None, None)
    assert said == [ImagePull(0, None), ImagePull(3_000_000, 4_000_000, 0, 2)]


def test_a_layer_is_complete_once_it_is_unpacked_or_was_there_before() -> None:
    said: list[Progress] = []
    now = [0.0]
    progress = PullProgress(said.append, lambda: now[0])
    for status, layer in (
        ("Already exists", "a"), ("Pulling fs layer", "b"), ("Waiting", "c"), ("Extracting", "b"), ("Pull complete", "b"),
        ("Digest: sha256:1", ""), ("Retrying in 3 seconds", "c"),
    ):  # fmt: skip
        now[0] += 1
        progress.note(status, layer, None, None)
    assert said[-1] == ImagePull(0, None, 2, 3)


def test_the_text_of_a_pull_has_what_is_known() -> None:
    assert ImagePull(0, None).text == "pulling"
    assert ImagePull(0, None, 1, 3).text == "pulling 1 of 3 layers"
    assert ImagePull(3_000_000, 4_000_000, 0, 2).text == "pulling 3.0 / 4.0 MB, 0 of 2 layers"
