"""The program `jobd`: flags, settings, then the daemon or a check of the settings. Exit codes: 0 asked to end, 1 failed, 2 wrong settings."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from jobd.composition.instrument import Instrument
from jobd.errors import ConfigError
from jobd.process.closed_streams import open_closed_streams
from jobd.process.lean_imports import prepare_imports
from jobd.settings.sources import Sources
from jobd.settings.variables import VARIABLES

DESCRIPTION = "Runs container jobs: files in, files out, live logs, the job's own exit code, signed events."


def main(arguments: Sequence[str] | None = None, *, instrument: Instrument | None = None) -> None:
    """Runs jobd until SIGTERM or SIGINT. `instrument` is for tests."""
    open_closed_streams()
    flags = vars(parser().parse_args(arguments))
    file, only_check = flags.pop("config"), flags.pop("check_config")
    given = {name: str(value).lower() if value is True else value for name, value in flags.items() if value}
    try:
        sources = Sources(given, os.environ, Path(file) if file else None)
        code = _check(sources) if only_check else _run(sources, instrument)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"jobd: {problem}\n")
        code = 2
    sys.exit(code)


def parser() -> argparse.ArgumentParser:
    """Returns the command line, made of the table of settings."""
    made = argparse.ArgumentParser(
        prog="jobd", description=DESCRIPTION, epilog="Every setting has a variable as well: see man 8 jobd."
    )
    made.add_argument("--version", action="version", version=f"jobd {version('jobd')}")
    made.add_argument(
        "--config",
        metavar="FILE",
        help="TOML file; keys are the variables' names in lower case; default: jobd/jobd.toml in the user's configuration folder, if it exists",
    )
    made.add_argument(
        "--check-config",
        action="store_true",
        help="check all settings and the files that they name, print each fault with its remedy, and start nothing; exit code 0 or 2",
    )
    for variable in VARIABLES:
        if variable.flag is None:
            continue
        text = f"{variable.help} ({variable.name}" + (
            f", default {variable.default})" if variable.default else ")"
        )
        if variable.default in ("true", "false"):
            made.add_argument(variable.flag, dest=variable.name, action="store_true", help=text)
        else:
            made.add_argument(variable.flag, dest=variable.name, metavar="VALUE", help=text)
    return made


def _run(sources: Sources, instrument: Instrument | None) -> int:
    sources.config()  # a wrong setting is told before the imports of the daemon
    prepare_imports()
    from jobd.process.serve import serve

    return asyncio.run(serve(sources, instrument))


def _check(sources: Sources) -> int:
    from jobd.process.config_check import report

    lines = report(sources)
    for line in lines:
        sys.stderr.write(f"jobd: {line}\n")
    if not lines:
        sys.stdout.write("jobd: the settings are valid\n")
    return 2 if lines else 0


if __name__ == "__main__":
    main()
