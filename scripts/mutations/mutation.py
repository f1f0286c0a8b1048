"""A mutation: a change of the code that removes a property, and the test that must fail with it."""

from dataclasses import dataclass

SECURITY = "tests/security"
W, C, I, S = "worker", "client", "input", "secrets"  # noqa: E741
"""Groups of the rows in tests/security/README.md."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """The text `old`, which `file` contains once, becomes `new`; then `test` must fail. A test without a folder is in tests/faults."""

    name: str
    file: str
    old: str
    new: str
    test: str


@dataclass(frozen=True, slots=True)
class SecurityMutation:
    """The same for a defence; `row` is its group in tests/security/README.md."""

    row: str
    name: str
    file: str
    old: str
    new: str
    test: str
