import pytest

from jobd.docker.calls import at_once


@pytest.mark.parametrize(("descriptors", "calls"), [(-1, 32), (1024, 32), (64, 8), (10, 2)])
def test_few_descriptors_are_not_all_kept_for_the_engine(descriptors: int, calls: int) -> None:
    assert at_once(descriptors) == calls
