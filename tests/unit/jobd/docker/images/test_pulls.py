from jobd.docker.images.pulls import PullProgress


def test_progress_adds_up_the_layers_and_does_not_flood() -> None:
    said: list[str] = []
    now = [0.0]
    progress = PullProgress(said.append, lambda: now[0])
    progress.note("Pulling from library/app", "1", None, None)
    for layer in ("a", "b"):
        for done in range(0, 1_000_001, 1000):
            progress.note("Downloading", layer, done, 2_000_000)
    assert said == ["pulling"]
    now[0] = 1.0
    progress.note("Download complete", "a", None, None)
    assert said == ["pulling", "pulling 3.0 / 4.0 MB"]
