"""The signals that a cancel may send first."""

import pytest

from jobctl.commands.jobs.cancel import signal_of
from jobctl.errors import Misuse


@pytest.mark.parametrize("text", ["int", "INT", "SIGINT", "SigInt"])
def test_signals_of_cancel_have_many_spellings(text: str) -> None:
    assert signal_of(text) == "SIGINT"


@pytest.mark.parametrize("text", ["", "9", "SIGSTOP", "SIGSIGINT"])
def test_other_signals_are_refused(text: str) -> None:
    with pytest.raises(Misuse):
        signal_of(text)
