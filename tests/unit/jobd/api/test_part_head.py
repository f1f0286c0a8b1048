"""The headers of a part are unambiguous, or refused."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobd.api.part_head import PARTS, part_name
from jobd.errors import InvalidRequest


@pytest.mark.parametrize(
    "disposition",
    [
        'form-data; name="spec"',
        "form-data;name=spec",
        ' Form-Data ; NAME="spec" ; filename="a;b\\"c"',
        "form-data; filename=x; name=spec;",
        'form-data; name="s\\pec"',
        "form-data; name=spec; filename*=utf-8''%ff",
    ],
)
def test_the_part_name_is_read(disposition: str) -> None:
    assert part_name({"Content-Disposition": disposition}) == "spec"


@pytest.mark.parametrize(
    "disposition",
    ["", "form-data", "form-data name=spec", 'form-data; name="spec', "form-data; name=spec; name=spec", "form-data; name=a b",
     'form-data; name="spec"x', "form-data; name*=spec", "form-datax; name=spec", "form-data; ;name=spec"],
)  # fmt: skip
def test_ambiguous_part_headers_are_refused(disposition: str) -> None:
    with pytest.raises(InvalidRequest):
        part_name({"Content-Disposition": disposition})


@given(
    st.dictionaries(
        st.sampled_from(
            ["Content-Disposition", "Content-Type", "Content-Transfer-Encoding", "Content-Encoding"]
        ),
        st.text(st.characters(), max_size=30)
        | st.text('form-data; name="spec\\', max_size=40).map(lambda text: f"form-data{text}"),
    )
)
@example({"Content-Disposition": "form-data" + '; a="\\' * 2000})
@example({"Content-Disposition": "form-data; name=\udcff"})
def test_any_part_headers_name_a_known_part_or_are_refused(headers: dict[str, str]) -> None:
    with suppress(InvalidRequest):
        assert part_name(headers) in PARTS
