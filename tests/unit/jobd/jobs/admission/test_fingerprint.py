"""Equal submissions have equal fingerprints, others differ, and no fingerprint reveals a secret."""

import hashlib

import msgspec
import pytest

from jobd.jobs.admission.fingerprint import Fingerprints
from jobd.wire.job import JobSpec

PLAIN = JobSpec(id="a", image="i", labels={"x": "1", "y": "2"})
SECRET = JobSpec(id="a", image="i", secrets={"pin": "1234", "token": "t"})


@pytest.fixture
def fingerprints() -> Fingerprints:
    return Fingerprints(b"k" * 32)


@pytest.mark.parametrize("spec", [PLAIN, SECRET])
def test_equal_submissions_have_equal_fingerprints(fingerprints: Fingerprints, spec: JobSpec) -> None:
    turned = msgspec.structs.replace(
        spec,
        labels=dict(reversed(spec.labels.items())),
        secrets=dict(reversed(spec.secrets.items())),
    )
    assert fingerprints.of(turned) == fingerprints.of(spec)
    assert Fingerprints(b"k" * 32).of(spec) == fingerprints.of(spec)


@pytest.mark.parametrize(
    "secrets",
    [
        {},
        {"pin": "1235", "token": "t"},
        {"pin": "1234"},
        {"pin": "t", "token": "1234"},
        {"pin": "", "token": "t"},
    ],
)
def test_other_secrets_change_the_fingerprint(fingerprints: Fingerprints, secrets: dict[str, str]) -> None:
    assert fingerprints.of(msgspec.structs.replace(SECRET, secrets=secrets)) != fingerprints.of(SECRET)


def test_any_other_difference_changes_the_fingerprint(fingerprints: Fingerprints) -> None:
    for spec in (PLAIN, SECRET):
        assert fingerprints.of(msgspec.structs.replace(spec, image="j")) != fingerprints.of(spec)


def test_a_secret_cannot_be_guessed_without_the_key(fingerprints: Fingerprints) -> None:
    """Ten thousand digests would find a PIN."""
    assert Fingerprints(b"l" * 32).of(SECRET) != fingerprints.of(SECRET)
    plain = hashlib.sha256(msgspec.json.encode(SECRET, order="sorted")).hexdigest()
    assert fingerprints.of(SECRET) != plain


def test_other_files_change_the_fingerprint(fingerprints: Fingerprints) -> None:
    tar, other = hashlib.sha256(b"tar").digest(), hashlib.sha256(b"other").digest()
    for spec in (PLAIN, SECRET):
        found = {
            fingerprints.of(spec),
            *(fingerprints.of(spec, files) for files in (tar, other, hashlib.sha256().digest())),
        }
        assert len(found) == 4
        assert fingerprints.of(spec, tar) == Fingerprints(b"k" * 32).of(spec, tar)
        assert fingerprints.of(spec, tar) != Fingerprints(b"l" * 32).of(spec, tar)
