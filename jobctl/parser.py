"""The parser of the whole command line, from typer: help, errors, and every form of arguments.

Owns the global flags. Imports only the command that runs. The annotations of a command are text until this parser reads them, so that a
command which `plain_parser.py` can call starts without typer.
"""

import inspect
import signal
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, cast

import typer
from typer import Abort, TyperException
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from jobctl.command_table import (
    ALIASES,
    COMMANDS,
    DEFAULT,
    DESTRUCTIVE,
    HELP,
    HIDDEN,
    PRESET_FORMATS,
    PRESETS,
    module_of,
)
from jobctl.commands import arguments, container_arguments
from jobctl.connection.session import FORMATS, Session
from jobctl.errors import EndedBySignal, Misuse
from jobctl.suggestion import nearest

NAMES_IN_ANNOTATIONS = {
    "typer": typer,
    "container": container_arguments,
    **{name: each for name, each in vars(arguments).items() if name[0].isupper()},
}
"""What the annotations of commands name. A command imports these only for the type checker."""

RUNNING = ("run", "submit", "sweep")
"""The commands with the flags of docker run."""
_HELP = """Run container jobs on this machine.

Without a command, jobctl lists the active jobs."""

_EXAMPLES = """\b
Examples:
  jobctl run busybox echo hello
  jobctl run -m 512m --in data=./data --out result.csv=. python:3-slim python data/main.py
  jobctl ls -a
  jobctl logs -f @last

Aliases: ps and list are ls, inspect is show -o json, stop is cancel, kill is cancel --signal KILL, delete is rm.
"jobctl help COMMAND" is "jobctl COMMAND --help".

jobctl looks for the daemon at --host, else JOBCTL_HOST, the context file, the user's socket, the system's socket."""


def run(arguments: Sequence[str], session: Session) -> Any:
    """Runs one command line and returns the command's outcome, or an exit code.

    Raises:
        Misuse: the command line is invalid.
        JobctlError: the command failed.
        EndedBySignal: the reader of stdout has closed it.
        KeyboardInterrupt: the user stopped a question.
    """
    try:
        return root().main(args=list(arguments), prog_name="jobctl", standalone_mode=False, obj=session)
    except TyperException as error:
        if why := _refused_flag(error, session.command):
            raise Misuse(why) from None
        name = f"jobctl {session.command}".rstrip()
        raise _no_option(error, name) or Misuse(
            error.format_message().rstrip("."), hint=f"{name} --help"
        ) from None
    except Abort:
        raise KeyboardInterrupt from None


def _no_option(error: TyperException, name: str) -> Misuse | None:
    """Returns the error for an option that the command does not have, with the option that was probably meant; None for another error."""
    option, context = getattr(error, "option_name", None), getattr(error, "ctx", None)
    if option is None or not hasattr(error, "possibilities") or context is None:
        return None
    known = [spelled for parameter in context.command.params for spelled in parameter.opts]
    # All single letters are similar.
    near = (
        nearest(option, [each for each in known if each.startswith("--")], ()) if option[:2] == "--" else None
    )
    begins = [each for each in known if len(option) > 3 and each.startswith(option)]
    meant = near or " or ".join(begins)
    return Misuse(
        f"{name} has no option {option}", hint=f"did you mean: {meant}" if meant else f"{name} --help"
    )


def _refused_flag(error: TyperException, command: str) -> str | None:
    """Returns why a job cannot have this flag of docker, None for any other error."""
    option = getattr(error, "option_name", None)
    if option is None or command not in RUNNING:
        return None
    from jobctl.job.spec.docker_flags import refusal

    return refusal(option)


def global_options() -> list[TyperOption]:
    """Returns the flags that are valid before and after the command."""

    def keep(name: str) -> Callable[..., Any]:
        def callback(ctx: Any, value: Any) -> Any:
            session = ctx.find_object(Session)
            if value not in (None, False) and session is not None:
                setattr(session, name, value)
            return value

        return lambda ctx, param, value: callback(ctx, value)

    def output(ctx: Any, param: Any, value: str | None) -> str | None:
        if value is not None and value not in FORMATS:
            raise Misuse(f"-o {value!r} is not a format", hint=f"use one of {', '.join(FORMATS)}")
        keep("output")(ctx, param, value)
        return value

    return [
        TyperOption(
            param_decls=["--host"], metavar="URL", callback=keep("host"), expose_value=False,
            help="The daemon's address: unix:///path or http://host:port.",
        ),
        TyperOption(
            param_decls=["-o", "--output"], metavar="FORMAT", callback=output, expose_value=False,
            help="Output format: table, wide, json, yaml or name. A command refuses a format that it cannot print.",
        ),
        TyperOption(
            param_decls=["--json"], is_flag=True, default=False, callback=keep("json"), expose_value=False,
            help="The same as -o json.",
        ),
    ]  # fmt: skip


class CheckedCommand(TyperCommand):
    """A command that refuses a format that it cannot print."""

    formats: tuple[str, ...] = ()

    def invoke(self, ctx: Any) -> Any:
        """Runs the command. Raises Misuse: the command cannot print the format."""
        session = ctx.find_object(Session)
        if session is not None:
            session.check_format(self.formats)
        return super().invoke(ctx)


def load(name: str) -> TyperCommand:
    """Returns one command with its parser. Imports its module."""
    _, summary = COMMANDS.get(name) or HIDDEN[name]
    module = module_of(name)
    function: Callable[..., Any] = getattr(module, name.removeprefix("__"))
    vars(sys.modules[inspect.unwrap(function).__module__]).update(NAMES_IN_ANNOTATIONS)
    examples = getattr(module, "EXAMPLES", "")
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(
        name=name,
        cls=CheckedCommand,
        short_help=summary,
        epilog="\b\nExamples:\n" + examples.strip("\n") if examples else None,
        context_settings={"help_option_names": ["-h", "--help"], **getattr(module, "SETTINGS", {})},
    )(function)
    command = cast(CheckedCommand, get_command(app))
    command.formats = module.FORMATS
    command.params = [each for each in command.params if each.name not in getattr(module, "LEFT_OUT", ())]
    command.params = _with_own_options(command.params, module)
    command.params.extend(cast(Any, global_options()))
    return command


def _with_own_options(params: list[Any], module: ModuleType) -> list[Any]:
    """Returns the parameters of another command together with a command's own options, which come first of the options."""
    function: Callable[..., Any] | None = getattr(module, "OPTIONS", None)
    if function is None:
        return params
    vars(module).update(NAMES_IN_ANNOTATIONS)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(add_help_option=False)(function)
    own = get_command(app).params
    return sorted([*own, *params], key=lambda each: each.param_type_name != "argument")


class CommandTable(TyperGroup):
    """The root command. Imports only the command that runs."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Imports the command `cmd_name`. Refuses an unknown name, and suggests a similar one."""
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS and name not in HIDDEN:
            near = nearest(cmd_name, [*COMMANDS, *ALIASES], DESTRUCTIVE)
            hint = f"did you mean: jobctl {near}" if near else "jobctl --help lists the commands"
            raise Misuse(f"there is no command {cmd_name!r}", hint=hint)
        session = ctx.find_object(Session)
        if session is not None:
            session.command = name
            session.preset_format = PRESET_FORMATS.get(cmd_name, "")
        return load(name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Returns the name, the command and its arguments. `help COMMAND` becomes `COMMAND --help`."""
        if args[0] == HELP:
            if not args[1:]:
                typer.echo(ctx.get_help())
                ctx.exit()
            return ALIASES.get(args[1], args[1]), self.get_command(ctx, args[1]), ["--help"]
        name, command, rest = super().resolve_command(ctx, args)
        return ALIASES.get(args[0], name), command, [*PRESETS.get(args[0], ()), *rest]

    def invoke(self, ctx: Any) -> Any:
        """Runs the command. A closed stdout becomes `EndedBySignal`; the parser would hide it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise EndedBySignal(signal.SIGPIPE, "") from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the summaries of the table, without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


def root() -> CommandTable:
    """Returns the command `jobctl`, which lists the active jobs when it has no arguments."""
    app = typer.Typer(
        cls=CommandTable, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip

    def jobctl(ctx: typer.Context) -> Any:
        if ctx.invoked_subcommand is None:
            session = ctx.find_object(Session)
            assert session is not None
            session.command = DEFAULT
            command = load(DEFAULT)
            with command.make_context(DEFAULT, [], parent=ctx) as inner:
                return command.invoke(inner)
        return None

    app.callback(invoke_without_command=True, help=_HELP, epilog=_EXAMPLES)(jobctl)
    command = cast(CommandTable, get_command(app))
    command.params.extend(cast(Any, [*global_options(), _version_option()]))
    return command


def _version_option() -> TyperOption:
    def show(ctx: Any, param: Any, value: bool) -> None:
        if value:
            from jobctl.commands.daemon.version import own_version

            typer.echo(f"jobctl {own_version()}")
            ctx.exit()

    return TyperOption(
        param_decls=["--version"], is_flag=True, default=False, is_eager=True, callback=show, expose_value=False,
        help="Print the version of jobctl; jobctl version also prints that of jobd.",
    )  # fmt: skip
