"""Completion scripts for bash, zsh and fish, made from the command table; ids of jobs, and paths of their workspaces, are asked for
when they are needed. Images are not offered: jobd has no call that lists them.

Pure: from the description of the commands to text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

IDS = "jobctl ls -q -a --limit 200 2>/dev/null"
ACTIVE_IDS = "jobctl ls -q --status accepted,running --limit 200 2>/dev/null"
PATHS = "jobctl __paths"
FORMATS = "table wide json yaml name"
STATUSES = "accepted running completed failed cancelled unreadable"
SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True, slots=True)
class OptionWords:
    """One option: its spellings, what it says of itself, whether a value follows, and the words that value may be.
    `files`: the value is a path; `pairs`: what follows its `=` is one; `jobs`: it is a job's id.
    """

    names: tuple[str, ...]
    help: str
    takes_value: bool
    words: tuple[str, ...] = ()
    files: bool = False
    pairs: bool = False
    jobs: bool = False


@dataclass(frozen=True, slots=True)
class CommandWords:
    """One command: its name, summary, options and other names. `argument`: what its arguments are - jobs, active (jobs under way),
    copy (a path of a workspace, then a local one), files, shells or other.
    """

    name: str
    summary: str
    options: tuple[OptionWords, ...]
    argument: str = ""
    aliases: tuple[str, ...] = ()


def script(shell: str, commands: Sequence[CommandWords]) -> str:
    """Returns the completion script for one of `SHELLS`."""
    makers: dict[str, Callable[[Sequence[CommandWords]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    return makers[shell](commands)


def _bash(commands: Sequence[CommandWords]) -> str:
    cases, values, others = [], [], []
    for command in commands:
        flags = " ".join(name for option in command.options for name in option.names)
        reply = {
            "jobs": f'words="$({IDS}) @last"',
            "active": f'words="$({ACTIVE_IDS}) @last"',
            "copy": "copy=1",
            "shells": f'words="{" ".join(SHELLS)}"',
            "files": "files=1",
        }.get(command.argument, ":")
        cases.append(f'        {command.name}) flags="{flags}"; {reply} ;;')
        if command.aliases:
            others.append(f"    {'|'.join(command.aliases)}) command={command.name} ;;")
        for option in command.options:
            pattern = "|".join(f"{command.name}:{name}" for name in option.names)
            if option.words:
                values.append(f'        {pattern}) _jobctl_offer "{" ".join(option.words)}"; return ;;')
            elif option.jobs:
                values.append(f'        {pattern}) _jobctl_offer "$({IDS}) @last"; return ;;')
            elif option.pairs:
                values.append(f'        {pattern}) [[ "$cur" == *=* ]] && _jobctl_files; return ;;')
            elif option.files:
                values.append(f"        {pattern}) _jobctl_files; return ;;")
            elif option.takes_value:
                values.append(f"        {pattern}) return ;;")
    names = " ".join(command.name for command in commands)
    aliases = " ".join(alias for command in commands for alias in command.aliases)
    return f"""# bash completion for jobctl. Made by scripts/generate_docs.py.

# Offers the words of a list that begin with $cur, less the $cut characters that readline keeps by itself.
_jobctl_offer() {{
    local word
    for word in $1; do
        [[ "$word" == "$cur"* ]] && COMPREPLY+=("${{word:cut}}")
    done
}}
_jobctl_files() {{
    compopt -o default
}}
# Offers ids with a colon, and behind the colon the paths of the job's workspace.
_jobctl_source() {{
    local line
    compopt -o nospace
    if [[ "$cur" == *:* ]]; then
        while IFS= read -r line; do
            COMPREPLY+=("$(printf %q "${{line:cut}}")")
        done < <({PATHS} "${{cur//\\\\/}}" 2>/dev/null)
    else
        for line in $({IDS}) @last; do
            [[ "$line" == "$cur"* ]] && COMPREPLY+=("$line:")
        done
    fi
}}
_jobctl() {{
    local cur prev command="" flags="--host --output --json --help --version" words="" files="" copy="" i at piece cut
    # Readline splits words at = and :, which are parts of words here: they are put together again.
    local -a typed=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        piece="${{COMP_WORDS[i]}}"
        if ((i > 1)) && [[ "$piece" =~ ^[=:]+$ || "${{COMP_WORDS[i-1]}}" =~ ^[=:]+$ ]]; then
            typed[${{#typed[@]}}-1]+="$piece"
        else
            typed+=("$piece")
        fi
    done
    [[ "$piece" =~ ^[=:]+$ ]] && piece=""
    cur="${{typed[${{#typed[@]}}-1]}}"
    prev="${{typed[${{#typed[@]}}-2]}}"
    cut=$((${{#cur}} - ${{#piece}}))
    COMPREPLY=()
    for ((at = 1; at < ${{#typed[@]}} - 1; at++)); do
        case "${{typed[at]}}" in
        --host|-o|--output) ((at++)) ;;
        -*) ;;
        *) command="${{typed[at]}}"; break ;;
        esac
    done
    if [[ "$cur" == --*=* ]]; then
        prev="${{cur%%=*}}"
        cur="${{cur#*=}}"
        ((cut = cut > ${{#prev}} ? cut - ${{#prev}} - 1 : 0))
    fi
    case "$prev" in
    -o|--output) _jobctl_offer "{FORMATS}"; return ;;
    --host) return ;;
    esac
    if [[ -z "$command" ]]; then
        _jobctl_offer "{names} $flags"
        [[ -n "$cur" ]] && _jobctl_offer "{aliases} help"
        return
    fi
    case "$command" in
{chr(10).join(others)}
    help) _jobctl_offer "{names}"; return ;;
    esac
    if ((${{#typed[@]}} > at + 2)) || [[ "${{typed[${{#typed[@]}}-1]}}" == --*=* ]]; then
        case "$command:$prev" in
{chr(10).join(values)}
        esac
    fi
    case "$command" in
{chr(10).join(cases)}
    esac
    if [[ "$cur" == -* ]]; then
        _jobctl_offer "$flags"
    elif [[ -n "$copy" && "$prev" == "${{typed[at]}}" ]]; then
        _jobctl_source
    elif [[ -n "$files$copy" ]]; then
        _jobctl_files
    else
        _jobctl_offer "$words"
    fi
}}
complete -F _jobctl jobctl
"""


def _zsh(commands: Sequence[CommandWords]) -> str:
    described = "\n".join(f"    '{c.name}:{_quoted(c.summary, colon=True)}'" for c in commands)
    aliases = " ".join(f"'{alias}:{c.name}'" for c in commands for alias in c.aliases)
    arguments = {
        "jobs": ["'*:job:_jobctl_jobs'"],
        "active": ["'*:job:_jobctl_active'"],
        "copy": ["'1:source:_jobctl_source'", "'2:destination:_files'"],
        "shells": [f"'1:shell:({' '.join(SHELLS)})'"],
        "files": ["'*:file:_files'"],
    }
    cases = []
    for command in commands:
        specs = [spec for option in command.options for spec in _zsh_option(option)]
        specs += arguments.get(command.argument, ["'*:: :_default'"])
        names = "|".join((command.name, *command.aliases))
        cases.append(f"    {names}) _arguments -S " + " \\\n      ".join(specs) + " ;;")
    return f"""#compdef jobctl
# zsh completion for jobctl. Made by scripts/generate_docs.py.
_jobctl_jobs() {{
  local -a jobs
  jobs=(${{(f)"$({IDS})"}} @last)
  compadd -a jobs
}}
_jobctl_active() {{
  local -a jobs
  jobs=(${{(f)"$({ACTIVE_IDS})"}} @last)
  compadd -a jobs
}}
_jobctl_source() {{
  local -a found
  if [[ $PREFIX == *:* ]]; then
    found=(${{(f)"$({PATHS} "${{(Q)PREFIX}}" 2>/dev/null)"}})
    found=(${{found#*:}})
    compset -P '*:'
    compadd -S '' -a found
  else
    found=(${{(f)"$({IDS})"}} @last)
    compadd -S ':' -a found
  fi
}}
_jobctl_pair() {{
  compset -P '*=' && _files
}}
_jobctl() {{
  local -a commands
  local state
  commands=(
{described}
  )
  [[ -n $PREFIX ]] && commands+=({aliases} 'help:the help of a command')
  _arguments -C \\
    '--host=[the daemon]:url:' \\
    '(-o --output)'{{-o+,--output=}}'[format]:format:({FORMATS})' \\
    '--json[the same as -o json]' \\
    '--version[the version of jobctl]' \\
    '1: :->command' '*:: :->arguments'
  case $state in
  command) _describe command commands ;;
  arguments)
    case $words[1] in
{chr(10).join(cases)}
    help) _describe command commands ;;
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
    elif option.pairs:
        value = ":pair:_jobctl_pair"
    elif option.files:
        value = ":file:_files"
    elif option.takes_value:
        value = ":value:"
    ending = {True: {True: "=", False: "+"}, False: {True: "", False: ""}}[bool(value)]
    return [
        f"'*{name}{ending[name.startswith('--')]}[{_quoted(option.help)}]{value}'" for name in option.names
    ]


def _quoted(text: str, *, colon: bool = False) -> str:
    quoted = text.replace("\\", "\\\\").replace("'", "'\\''").replace("[", "\\[").replace("]", "\\]")
    return quoted.replace(":", "\\:") if colon else quoted


def _fish(commands: Sequence[CommandWords]) -> str:
    names = " ".join(name for command in commands for name in (command.name, *command.aliases))
    lines = [
        "# fish completion for jobctl. Made by scripts/generate_docs.py.",
        f"function __jobctl_jobs; {IDS}; echo @last; end",
        f"function __jobctl_active; {ACTIVE_IDS}; echo @last; end",
        "function __jobctl_source",
        "    set -l typed (commandline -ct)",
        f"    if string match -q '*:*' -- $typed; {PATHS} $typed 2>/dev/null",
        f"    else; {IDS} | string replace -r '$' ':'; echo @last:; end",
        "end",
        "function __jobctl_second; test (count (commandline -opc)) -ge 3; end",
        f"function __jobctl_bare; not __fish_seen_subcommand_from {names} help; end",
        "function __jobctl_begun; __jobctl_bare; and test -n (commandline -ct | string collect); end",
        "complete -c jobctl -f",
        "complete -c jobctl -n __jobctl_bare -l host -x -d 'The daemon'",
        f"complete -c jobctl -n __jobctl_bare -s o -l output -x -a '{FORMATS}' -d 'Format'",
        "complete -c jobctl -n __jobctl_bare -l json -d 'The same as -o json'",
        "complete -c jobctl -n __jobctl_bare -l version -d 'The version of jobctl'",
        "complete -c jobctl -n __jobctl_begun -a help -d 'The help of a command'",
        f"complete -c jobctl -n '__fish_seen_subcommand_from help' -a '{' '.join(c.name for c in commands)}'",
    ]
    for command in commands:
        seen = f"-n '__fish_seen_subcommand_from {' '.join((command.name, *command.aliases))}'"
        lines.append(
            f"complete -c jobctl -n __jobctl_bare -a {command.name} -d '{_fish_quoted(command.summary)}'"
        )
        lines += [
            f"complete -c jobctl -n __jobctl_begun -a {alias} -d {command.name}" for alias in command.aliases
        ]
        for option in command.options:
            spelled = " ".join(f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in option.names)
            if option.words:
                value = f" -x -a '{' '.join(option.words)}'"
            elif option.jobs:
                value = " -x -a '(__jobctl_jobs)'"
            elif option.files or option.pairs:  # fish looks for files behind a = by itself
                value = " -r -F"
            else:
                value = " -x" if option.takes_value else ""
            lines.append(f"complete -c jobctl {seen} {spelled}{value} -d '{_fish_quoted(option.help)}'")
        if command.argument == "jobs":
            lines.append(f"complete -c jobctl {seen} -a '(__jobctl_jobs)'")
        elif command.argument == "active":
            lines.append(f"complete -c jobctl {seen} -a '(__jobctl_active)'")
        elif command.argument == "copy":
            within = f"__fish_seen_subcommand_from {command.name}"
            lines.append(f"complete -c jobctl -n '{within}; and not __jobctl_second' -a '(__jobctl_source)'")
            lines.append(f"complete -c jobctl -n '{within}; and __jobctl_second' -F")
        elif command.argument == "shells":
            lines.append(f"complete -c jobctl {seen} -a '{' '.join(SHELLS)}'")
        elif command.argument == "files":
            lines.append(f"complete -c jobctl {seen} -F")
    return "\n".join(lines) + "\n"


def _fish_quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
