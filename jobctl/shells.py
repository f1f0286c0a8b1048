"""Completion scripts for bash, zsh and fish, made from the command table; ids of jobs are asked for when they are needed.

Pure: from the description of the commands to text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

IDS = "jobctl ls -q -a --limit 200 2>/dev/null"
FORMATS = "table wide json yaml name"
STATUSES = "accepted running completed failed cancelled unreadable"
SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True, slots=True)
class OptionWords:
    """One option: its spellings, what it says of itself, whether a value follows, and the words that value may be.
    `files`: the value is a path; `jobs`: it is a job's id.
    """

    names: tuple[str, ...]
    help: str
    takes_value: bool
    words: tuple[str, ...] = ()
    files: bool = False
    jobs: bool = False


@dataclass(frozen=True, slots=True)
class CommandWords:
    """One command: its name, summary and options. `argument`: what its arguments are - jobs, files, shells or other."""

    name: str
    summary: str
    options: tuple[OptionWords, ...]
    argument: str = ""


def script(shell: str, commands: Sequence[CommandWords]) -> str:
    """Returns the completion script for one of `SHELLS`."""
    makers: dict[str, Callable[[Sequence[CommandWords]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    return makers[shell](commands)


def _bash(commands: Sequence[CommandWords]) -> str:
    cases, values = [], []
    for command in commands:
        flags = " ".join(name for option in command.options for name in option.names)
        with_value = "|".join(n for o in command.options if o.takes_value for n in o.names)
        reply = {
            "jobs": f'words="$({IDS}) @last"',
            "shells": f'words="{" ".join(SHELLS)}"',
            "files": "files=1",
        }.get(command.argument, ":")
        cases.append(f'        {command.name}) flags="{flags}"; valued="{with_value}"; {reply} ;;')
        for option in command.options:
            pattern = "|".join(f"{command.name}:{name}" for name in option.names)
            if option.words:
                values.append(
                    f'        {pattern}) COMPREPLY=($(compgen -W "{" ".join(option.words)}" -- "$cur")); return ;;'
                )
            elif option.jobs:
                values.append(
                    f'        {pattern}) COMPREPLY=($(compgen -W "$({IDS}) @last" -- "$cur")); return ;;'
                )
            elif option.files:
                values.append(f"        {pattern}) compopt -o default; COMPREPLY=(); return ;;")
            elif option.takes_value:
                values.append(f"        {pattern}) COMPREPLY=(); return ;;")
    names = " ".join(command.name for command in commands)
    return f"""# bash completion for jobctl. Made by scripts/generate_docs.py.
_jobctl() {{
    local cur prev command="" flags="--host --output --json --help" valued="" words="" files="" i
    cur="${{COMP_WORDS[COMP_CWORD]}}"
    prev="${{COMP_WORDS[COMP_CWORD-1]}}"
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${{COMP_WORDS[i]}}" in
        --host|-o|--output) ((i++)) ;;
        -*) ;;
        *) command="${{COMP_WORDS[i]}}"; break ;;
        esac
    done
    if [[ -z "$command" ]]; then
        case "$prev" in
        -o|--output) COMPREPLY=($(compgen -W "{FORMATS}" -- "$cur")); return ;;
        --host) COMPREPLY=(); return ;;
        esac
        COMPREPLY=($(compgen -W "{names} $flags" -- "$cur"))
        return
    fi
    [[ "$command" == ps ]] && command=ls
    if ((COMP_CWORD > i + 1)); then
        case "$command:$prev" in
{chr(10).join(values)}
        esac
    fi
    case "$command" in
{chr(10).join(cases)}
    esac
    if [[ "$cur" == -* ]]; then
        COMPREPLY=($(compgen -W "$flags" -- "$cur"))
    elif [[ -n "$files" ]]; then
        compopt -o default
        COMPREPLY=()
    else
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
    fi
}}
complete -F _jobctl jobctl
"""


def _zsh(commands: Sequence[CommandWords]) -> str:
    described = "\n".join(f"    '{c.name}:{_quoted(c.summary, colon=True)}'" for c in commands)
    cases = []
    for command in commands:
        specs = [spec for option in command.options for spec in _zsh_option(option)]
        if command.argument == "jobs":
            specs.append("'*:job:_jobctl_jobs'")
        elif command.argument == "shells":
            specs.append(f"'1:shell:({' '.join(SHELLS)})'")
        elif command.argument == "files":
            specs.append("'*:file:_files'")
        else:
            specs.append("'*:: :_default'")
        name = "ls|ps" if command.name == "ls" else command.name
        cases.append(f"    {name}) _arguments -S " + " \\\n      ".join(specs) + " ;;")
    return f"""#compdef jobctl
# zsh completion for jobctl. Made by scripts/generate_docs.py.
_jobctl_jobs() {{
  local -a jobs
  jobs=(${{(f)"$({IDS})"}} @last)
  compadd -a jobs
}}
_jobctl() {{
  local -a commands
  local state
  commands=(
{described}
  )
  _arguments -C \\
    '--host[the daemon]:url:' \\
    '(-o --output)'{{-o,--output}}'[format]:format:({FORMATS})' \\
    '--json[the same as -o json]' \\
    '1: :->command' '*:: :->arguments'
  case $state in
  command) _describe command commands ;;
  arguments)
    case $words[1] in
{chr(10).join(cases)}
    esac ;;
  esac
}}
if [ "$funcstack[1]" = "_jobctl" ]; then
  _jobctl "$@"
else
  compdef _jobctl jobctl
fi
"""


def _zsh_option(option: OptionWords) -> list[str]:
    value = ""
    if option.words:
        value = f":value:({' '.join(option.words)})"
    elif option.jobs:
        value = ":job:_jobctl_jobs"
    elif option.files:
        value = ":file:_files"
    elif option.takes_value:
        value = ":value:"
    return [f"'*{name}[{_quoted(option.help)}]{value}'" for name in option.names]


def _quoted(text: str, *, colon: bool = False) -> str:
    quoted = text.replace("\\", "\\\\").replace("'", "'\\''").replace("[", "\\[").replace("]", "\\]")
    return quoted.replace(":", "\\:") if colon else quoted


def _fish(commands: Sequence[CommandWords]) -> str:
    names = " ".join(command.name for command in commands)
    lines = [
        "# fish completion for jobctl. Made by scripts/generate_docs.py.",
        f"function __jobctl_jobs; {IDS}; echo @last; end",
        f"function __jobctl_bare; not __fish_seen_subcommand_from {names} ps; end",
        "complete -c jobctl -f",
        "complete -c jobctl -n __jobctl_bare -l host -x -d 'The daemon'",
        f"complete -c jobctl -n __jobctl_bare -s o -l output -x -a '{FORMATS}' -d 'Format'",
        "complete -c jobctl -n __jobctl_bare -l json -d 'The same as -o json'",
    ]
    for command in commands:
        seen = f"-n '__fish_seen_subcommand_from {command.name}{' ps' if command.name == 'ls' else ''}'"
        lines.append(
            f"complete -c jobctl -n __jobctl_bare -a {command.name} -d '{_fish_quoted(command.summary)}'"
        )
        for option in command.options:
            spelled = " ".join(f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in option.names)
            if option.words:
                value = f" -x -a '{' '.join(option.words)}'"
            elif option.jobs:
                value = " -x -a '(__jobctl_jobs)'"
            elif option.files:
                value = " -r -F"
            else:
                value = " -x" if option.takes_value else ""
            lines.append(f"complete -c jobctl {seen} {spelled}{value} -d '{_fish_quoted(option.help)}'")
        if command.argument == "jobs":
            lines.append(f"complete -c jobctl {seen} -a '(__jobctl_jobs)'")
        elif command.argument == "shells":
            lines.append(f"complete -c jobctl {seen} -a '{' '.join(SHELLS)}'")
        elif command.argument == "files":
            lines.append(f"complete -c jobctl {seen} -F")
    return "\n".join(lines) + "\n"


def _fish_quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
