import pytest

from jobd.docker.images import images
from jobd.docker.mapping.models import ImageConfig, ImageInspected
from jobd.jobs.port.errors import ImageUnavailable


def image(**fields: object) -> ImageInspected:
    return ImageInspected(**{"id": "sha256:1", "os": "linux", **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "odd",
    [
        image(config=ImageConfig(user="u" * 1025)),
        image(id="i" * 1025),
        image(repo_digests=["a@sha256:" + "d" * 1025]),
    ],
    ids=["user", "id", "digest"],
)
def test_facts_that_are_too_long_for_a_record_are_refused(odd: ImageInspected) -> None:
    with pytest.raises(ImageUnavailable, match="more than 1024 characters"):
        images.local_image(odd, "a")


def test_facts_of_an_image_that_was_never_pulled() -> None:
    found = images.local_image(image(), "local:1")
    assert (found.facts.id, found.facts.digest, found.user) == ("sha256:1", None, "")


def test_the_digest_is_of_the_requested_repository() -> None:
    both = ["mirror/app@sha256:aa", "app@sha256:bb"]
    assert images.local_image(image(repo_digests=both), "app:1").facts.digest == "sha256:bb"
    assert images.local_image(image(repo_digests=both), "other:1").facts.digest == "sha256:aa"


def test_the_user_is_the_images() -> None:
    assert images.local_image(image(config=ImageConfig(user="app")), "a").user == "app"


@pytest.mark.parametrize(
    ("engine", "architecture", "fine"),
    [
        ("amd64", "amd64", True),
        ("x86_64", "amd64", True),
        ("amd64", "386", True),
        ("arm64", "arm", True),
        ("aarch64", "arm64", True),
        ("amd64", "arm64", False),
        ("arm64", "amd64", False),
        ("386", "amd64", False),
        ("amd64", "", True),
    ],
)
def test_what_runs_without_emulation(engine: str, architecture: str, fine: bool) -> None:
    assert images.runs(engine, architecture) is fine


@pytest.mark.parametrize(
    ("platform", "fine"),
    [
        ("linux/arm64", True),
        ("linux/arm64/v8", True),
        ("linux/aarch64", True),
        ("arm64", True),
        ("linux", True),
        ("linux/amd64", False),
        ("windows/arm64", False),
        ("amd64", False),
    ],
)
def test_a_local_image_fits_a_platform(platform: str, fine: bool) -> None:
    assert images.fits(image(architecture="arm64"), platform) is fine
