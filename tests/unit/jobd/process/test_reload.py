"""What a reload changes: the settings that may, and no others."""

from hypothesis import given
from hypothesis import strategies as st

from jobd.process.reload import TLS, plan
from jobd.settings.variables import VARIABLES

NAMES = [variable.name for variable in VARIABLES]
TEXTS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["", "1", "2"]))
DEFAULTS = {variable.name: variable.default for variable in VARIABLES}
RELOADS = {variable.name for variable in VARIABLES if variable.reloads}


@given(running=TEXTS, new=TEXTS)
def test_a_reload_takes_the_settings_that_may_change_and_names_the_others(
    running: dict[str, str], new: dict[str, str]
) -> None:
    planned = plan(running, new)
    after = DEFAULTS | planned.values
    differing = {name for name in NAMES if (DEFAULTS | running)[name] != (DEFAULTS | new)[name]}
    assert {*planned.changed, *planned.waiting} == differing
    assert not {*planned.changed} & {*planned.waiting}
    assert {*planned.changed} <= RELOADS
    assert differing - RELOADS <= {*planned.waiting}
    assert {*planned.waiting} & RELOADS <= TLS
    for name in NAMES:
        assert after[name] == (DEFAULTS | (new if name in planned.changed else running))[name]


@given(running=TEXTS, new=TEXTS)
def test_a_second_reload_of_the_same_settings_changes_nothing(
    running: dict[str, str], new: dict[str, str]
) -> None:
    first = plan(running, new)
    second = plan(first.values, new)
    assert (second.changed, second.waiting) == ((), first.waiting)


def test_a_listener_keeps_tls_and_never_gets_it() -> None:
    assert plan({}, {"TLS_CERT_FILE": "/c", "TLS_KEY_FILE": "/k"}).waiting == (
        "TLS_CERT_FILE",
        "TLS_KEY_FILE",
    )
    assert plan({"TLS_CERT_FILE": "/c"}, {}).waiting == ("TLS_CERT_FILE",)
    assert plan({"TLS_CERT_FILE": "/c"}, {"TLS_CERT_FILE": "/d"}).changed == ("TLS_CERT_FILE",)
