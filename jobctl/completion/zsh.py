"""The completion script for zsh. Pure."""

from collections.abc import Sequence

from jobctl.completion.words import (
    ACTIVE_IDS,
    DAEMON_ACTIONS,
    ENDED_IDS,
    FORMATS,
    GROUP_ACTIONS,
    GROUP_NAMES,
    IDS,
    IMAGES,
    PATHS,
    SETS,
    SHELLS,
    WAITING_IDS,
    CommandWords,
    OptionWords,
)


def zsh_script(commands: Sequence[CommandWords]) -> str:
    """Returns the completion script for zsh."""
    described = "\n".join(f"    '{c.name}:{_quoted(c.summary, colon=True)}'" for c in commands)
    aliases = " ".join(f"'{alias}:{c.name}'" for c in commands for alias in c.aliases)
    arguments = {
        "jobs": ["'*:job:_jobctl_jobs'"],
        "active": ["'*:job:_jobctl_active'"],
        "waiting": ["'*:job:_jobctl_waiting'"],
        "group": [f"'1:action:({GROUP_ACTIONS})'", "'2:group:_jobctl_groups'"],
        "ended": ["'*:job:_jobctl_ended'"],
        "copy": ["'1:source:_jobctl_source'", "'2:destination:_files'"],
        "image": ["'(-)1:image:_jobctl_images'", "'(-)*:: :_default'"],
        "shells": [f"'1:shell:({' '.join(SHELLS)})'"],
        "daemon": [f"'1:action:({DAEMON_ACTIONS})'"],
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
_jobctl_waiting() {{
  local -a jobs
  jobs=(${{(f)"$({WAITING_IDS})"}} @last)
  compadd -a jobs
}}
_jobctl_groups() {{
  local -a groups
  groups=(${{(f)"$({GROUP_NAMES})"}})
  compadd -a groups
}}
_jobctl_ended() {{
  local -a jobs
  jobs=(${{(f)"$({ENDED_IDS})"}} @last)
  compadd -a jobs
}}
_jobctl_sets() {{
  local -a sets
  sets=(${{(f)"$({SETS})"}})
  compadd -a sets
}}
_jobctl_images() {{
  local -a images
  images=(${{(f)"$({IMAGES})"}})
  compadd -V images -a images
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
  local -a found
  compset -P '*=' || return 1
  if ! compset -P 'job:'; then
    _files
  elif [[ $PREFIX == */* ]]; then
    found=(${{(f)"$({PATHS} "${{${{(Q)PREFIX}}/\\//:}}" 2>/dev/null)"}})
    found=(${{found#*:}})
    compset -P '[^/]#/'
    compadd -S '' -a found
  else
    found=(${{(f)"$({IDS})"}} @last)
    compadd -S '/' -a found
  fi
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
    elif option.groups:
        value = ":group:_jobctl_groups"
    elif option.sets:
        value = ":set:_jobctl_sets"
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
