"""What a mutation is: a change of code that takes away what a test is there for, and the test that must miss it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """`old` stands once in `file`; with `new` in its place `test`, of the fault tests unless it says where, must fail."""

    name: str
    file: str
    old: str
    new: str
    test: str
