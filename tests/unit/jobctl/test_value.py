"""Records: fields, defaults, equality, a hash and a text without secrets."""

import pytest

from jobctl.value import Value


class Point(Value):
    _secret = frozenset({"key"})

    x: int
    y: int = 2
    key: str = ""


class Other(Value):
    x: int


class Empty(Value):
    pass


def test_fields_are_given_by_place_or_name_and_have_defaults() -> None:
    point = Point(1, key="k")
    assert (point.x, point.y, point.key) == (1, 2, "k")
    assert Point(1, 3) == Point(y=3, x=1) != Point(1)
    assert len({Point(1), Point(1, 2), Point(2)}) == 2
    assert Point(1) != Other(1)
    assert Empty() == Empty()
    assert repr(Point(1, key="s3cret")) == "Point(x=1, y=2)"


@pytest.mark.parametrize(
    ("places", "names"), [((), {}), ((1, 2, "", 4), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((), {"y": 1})]
)
def test_wrong_fields_are_refused(places: tuple[object, ...], names: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        Point(*places, **names)  # type: ignore[arg-type]


def test_a_record_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Point(1).x = 2  # type: ignore[misc]
