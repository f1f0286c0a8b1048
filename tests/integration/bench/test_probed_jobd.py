"""jobd with the probe of its event loop: serves as jobd does, and writes the delays at its end."""

from array import array
from pathlib import Path

from scripts.bench.programs.probed_jobd import VARIABLE
from tests.support.daemon import Daemon

NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/engine.sock"}


def test_the_delays_are_written_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "delays"
    module = "scripts.bench.programs.probed_jobd"
    jobd = Daemon(tmp_path / "jobd", environ={**NO_ENGINE, VARIABLE: str(file)}, module=module).start()
    assert jobd.call("GET", "/livez").status == 200
    assert jobd.stop() == 0
    numbers = array("d", file.read_bytes())
    due, delays, used = numbers[::3], numbers[1::3], numbers[2::3]
    assert len(due) == len(delays) == len(used) > 1
    assert list(due) == sorted(due)
    assert min(delays) >= 0
    assert min(used) >= 0
