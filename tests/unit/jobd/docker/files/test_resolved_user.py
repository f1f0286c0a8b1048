"""The worker's user and group, as the engine finds them in the image's tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.docker.files import tar_stream

PASSWD = b"""\
root:x:0:0:root:/root:/bin/sh
damaged
bad:x:y:z:::
app:x:1000:1001:app:/home:/bin/sh
4242:x:7:8::/:/bin/sh
"""


GROUP = b"root:x:0:\nstaff:x:50:app\n"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", (0, 0)),
        ("root", (0, 0)),
        ("app", (1000, 1001)),
        ("1000", (1000, 1001)),
        ("1000:5", (1000, 5)),
        ("app:staff", (1000, 50)),
        ("app:7", (1000, 7)),
        ("999", (999, 0)),
        ("4242", (7, 8)),
        (":staff", (0, 50)),
    ],
)
def test_users_are_resolved_as_the_engine_does(user: str, expected: tuple[int, int]) -> None:
    assert tar_stream.resolved_user(user, PASSWD, GROUP) == expected


@pytest.mark.parametrize("user", ["nosuch", "app:nosuch", "bad", "damaged"])
def test_an_unknown_user_is_none(user: str) -> None:
    assert tar_stream.resolved_user(user, PASSWD, GROUP) is None


@pytest.mark.parametrize(
    ("user", "needed"),
    [
        ("", False),
        ("0", False),
        ("root", False),
        ("1:2", False),
        ("1", True),
        ("app", True),
        ("1:staff", True),
    ],
)
def test_the_table_is_read_only_where_it_is_needed(user: str, needed: bool) -> None:
    assert tar_stream.needs_passwd(user) is needed


@given(st.binary(max_size=300), st.text(max_size=8))
def test_any_table_is_read(table: bytes, user: str) -> None:
    tar_stream.resolved_user(user, table, table)
