"""Flags of docker run that a job cannot have answer with one sentence that says what to use instead."""

import pytest

from jobctl import parser
from jobctl.connection.session import Session
from jobctl.errors import Misuse
from jobctl.job.spec.docker_flags import REFUSED
from jobctl.parser import load


@pytest.mark.parametrize("flag", sorted(REFUSED))
@pytest.mark.parametrize("command", ["run", "sweep"])
def test_a_flag_that_cannot_be_had(command: str, flag: str) -> None:
    with pytest.raises(Misuse) as caught:
        parser.run([command, flag, "x", "busybox"], Session())
    assert caught.value.message == f"{flag} cannot be had: {REFUSED[flag]}"


def test_no_flag_of_jobctl_is_among_them() -> None:
    own = {name for parameter in load("run").params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert not own & set(REFUSED)


def test_other_mistakes_stay_what_they_are() -> None:
    with pytest.raises(Misuse, match="has no option --nonsense"):
        parser.run(["run", "--nonsense", "busybox"], Session())
    with pytest.raises(Misuse, match="has no option --privileged"):
        parser.run(["ls", "--privileged"], Session())
