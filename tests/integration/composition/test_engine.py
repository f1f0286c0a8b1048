"""The code of an engine is imported when that engine is chosen, and not before."""

import subprocess
import sys

CODE = """
import asyncio, sys
import jobd.process.serve
from jobd.composition.engine import build_engine
from jobd.settings.config import from_mapping

def docker():
    return any(name.partition(".")[0] == "docker" or name.startswith("jobd.docker") for name in sys.modules)

async def main():
    print(docker())
    await build_engine(from_mapping({}), "test", lambda name, seconds, ok: None)._engine.close()
    print(docker())

asyncio.run(main())
"""


def test_docker_is_imported_with_the_engine_that_is_chosen() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, timeout=60, check=True, text=True
    )
    assert done.stdout.split() == ["False", "True"]
