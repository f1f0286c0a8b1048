"""Programs under test get signals as from a terminal, also where the tests were started with signals ignored."""

import signal
import subprocess
import sys

IGNORED = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
TESTS = f"""
import signal, subprocess, sys
from tests import conftest
for number in {[int(number) for number in IGNORED]}:
    signal.signal(number, signal.SIG_IGN)
conftest.pytest_configure()
shows = "import signal; print([signal.getsignal(number) for number in {[int(number) for number in IGNORED]}])"
print(subprocess.run([sys.executable, "-c", shows], capture_output=True, text=True, check=True).stdout)
"""


def test_signals_that_the_tests_ignore_have_their_defaults_in_programs() -> None:
    shown = subprocess.run([sys.executable, "-c", TESTS], capture_output=True, text=True, check=True).stdout
    assert "default_int_handler" in shown
    assert shown.count("Handlers.SIG_DFL") == 2
