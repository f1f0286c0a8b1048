"""The problems that a refused configuration names."""

from collections.abc import Callable

import pytest

from jobd.errors import ConfigError
from jobd.settings.config import Config


def problems(make: Callable[[], Config]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        make()
    return caught.value.problems
