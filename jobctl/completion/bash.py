"""The completion script for bash. Pure."""

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
    before_value,
)


def bash_script(commands: Sequence[CommandWords]) -> str:
    """Returns the completion script for bash."""
    cases, values, others, places = [], [], [], []
    for command in commands:
        flags = " ".join(name for option in command.options for name in option.names)
        reply = {
            "jobs": f'words="$({IDS}) @last"',
            "active": f'words="$({ACTIVE_IDS}) @last"',
            "waiting": f'words="$({WAITING_IDS}) @last"',
            "group": "group=1",
            "ended": f'words="$({ENDED_IDS}) @last"',
            "copy": "copy=1",
            "shells": f'words="{" ".join(SHELLS)}"',
            "daemon": f'words="{DAEMON_ACTIONS}"',
            "files": "files=1",
        }.get(command.argument, ":")
        cases.append(f'        {command.name}) flags="{flags}"; {reply} ;;')
        if command.argument == "image":
            places.append(f"    {command.name}) _jobctl_place '{before_value(command.options)}' ;;")
        if command.aliases:
            others.append(f"    {'|'.join(command.aliases)}) command={command.name} ;;")
        for option in command.options:
            pattern = "|".join(f"{command.name}:{name}" for name in option.names)
            if option.words:
                values.append(f'        {pattern}) _jobctl_offer "{" ".join(option.words)}"; return ;;')
            elif option.jobs:
                values.append(f'        {pattern}) _jobctl_offer "$({IDS}) @last"; return ;;')
            elif option.groups:
                values.append(f'        {pattern}) _jobctl_offer "$({GROUP_NAMES})"; return ;;')
            elif option.sets:
                values.append(f'        {pattern}) _jobctl_offer "$({SETS})"; return ;;')
            elif option.pairs:
                values.append(f"        {pattern}) _jobctl_pair; return ;;")
            elif option.files:
                values.append(f"        {pattern}) _jobctl_files; return ;;")
            elif option.takes_value:
                values.append(f"        {pattern}) return ;;")
    names = " ".join(command.name for command in commands)
    aliases = " ".join(alias for command in commands for alias in command.aliases)
    return f"""# bash completion for jobctl. Made by scripts/generate_docs.py.

# Offers the words of a list that begin with $cur, without the first $cut characters, which readline keeps.
_jobctl_offer() {{
    local word
    for word in $1; do
        [[ "$word" == "$cur"* ]] && COMPREPLY+=("${{word:cut}}")
    done
}}
_jobctl_files() {{
    compopt -o default
}}
# Offers, after NAME=, local paths; after NAME=job: ids, and after NAME=job:ID/ the paths in the job's workspace.
_jobctl_pair() {{
    local line start="${{cur%%=job:*}}=job:"
    if [[ "$cur" != *=job:* ]]; then
        [[ "$cur" == *=* ]] && _jobctl_files
        return
    fi
    compopt -o nospace
    line="${{cur#"$start"}}"
    if [[ "$line" == */* ]]; then
        line="${{line//\\\\/}}"
        while IFS= read -r line; do
            line="$start${{line/:/\\/}}"
            COMPREPLY+=("$(printf %q "${{line:cut}}")")
        done < <({PATHS} "${{line/\\//:}}" 2>/dev/null)
    else
        for line in $({IDS}) @last; do
            line="$start$line/"
            [[ "$line" == "$cur"* ]] && COMPREPLY+=("${{line:cut}}")
        done
    fi
}}
# Offers ids with a colon, and after the colon the paths in the job's workspace.
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
# Offers the images of recent jobs, the latest first.
_jobctl_images() {{
    compopt -o nosort 2>/dev/null
    _jobctl_offer "$({IMAGES})"
}}
# Sets $place to what the cursor is at: an option or the image (first), only the image (image), the value of an option (value), or a word
# of the command after the image (command). $1 matches a word that a value follows.
_jobctl_place() {{
    local i
    place=first
    for ((i = at + 1; i < ${{#typed[@]}} - 1; i++)); do
        if [[ "$place" == first && "${{typed[i]}}" == -- ]]; then
            place=image
        elif [[ "$place" == first && "${{typed[i]}}" == -?* ]]; then
            [[ "${{typed[i]}}" =~ $1 ]] && ((i++))
        else
            place=command
            return
        fi
    done
    if ((i >= ${{#typed[@]}})); then place=value; fi
}}
_jobctl() {{
    local place="" glue='^[=:]+$'
    local cur prev command="" flags="--host --output --json --help --version" words="" files="" copy="" group="" i at piece cut
    # Readline splits words at =, : and @; join them again. A word other than an image, and the value of an option, may begin
    # with @.
    local -a typed=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        piece="${{COMP_WORDS[i]}}"
        if [[ "$piece" == run || "$piece" == submit || "$piece" == sweep ]]; then glue='^[=:@]+$'; fi
        if ((i > 1)) && [[ "$piece" =~ $glue && ! ("$piece" == @ && "${{COMP_WORDS[i-1]}}" == -*) || "${{COMP_WORDS[i-1]}}" =~ ^[=:@]+$ ]]; then
            typed[${{#typed[@]}}-1]+="$piece"
        else
            typed+=("$piece")
        fi
    done
    [[ "$piece" =~ ^[=:]+$ ]] && piece=""
    [[ "${{COMP_WORDS[COMP_CWORD-1]}}" == @ ]] && piece="@$piece" # readline keeps the text before an @, but not the @
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
    case "$command" in
{chr(10).join(places)}
    esac
    case "$place" in
    image) _jobctl_images; return ;;
    command) return ;;
    esac
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
    if [[ "$place" == value ]]; then
        return
    elif [[ "$cur" == -* ]]; then
        _jobctl_offer "$flags"
    elif [[ -n "$place" && "${{typed[${{#typed[@]}}-1]}}" != -* ]]; then
        _jobctl_images
    elif [[ -n "$group" && "$prev" == "${{typed[at]}}" ]]; then
        _jobctl_offer "{GROUP_ACTIONS}"
    elif [[ -n "$group" ]]; then
        if [[ "$prev" == "${{typed[at+1]}}" && "$prev" != ls ]]; then _jobctl_offer "$({GROUP_NAMES})"; fi
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
