"""The completion script for fish. Pure."""

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


def fish_script(commands: Sequence[CommandWords]) -> str:
    """Returns the completion script for fish."""
    names = " ".join(name for command in commands for name in (command.name, *command.aliases))
    lines = [
        "# fish completion for jobctl. Made by scripts/generate_docs.py.",
        f"function __jobctl_jobs; {IDS}; echo @last; end",
        f"function __jobctl_active; {ACTIVE_IDS}; echo @last; end",
        f"function __jobctl_waiting; {WAITING_IDS}; echo @last; end",
        f"function __jobctl_groups; {GROUP_NAMES}; end",
        f"function __jobctl_ended; {ENDED_IDS}; echo @last; end",
        f"function __jobctl_sets; {SETS}; end",
        "function __jobctl_source",
        "    set -l typed (commandline -ct)",
        f"    if string match -q '*:*' -- $typed; {PATHS} $typed 2>/dev/null",
        f"    else; {IDS} | string replace -r '$' ':'; echo @last:; end",
        "end",
        "function __jobctl_input",
        "    set -l typed (commandline -ct)",
        "    string match -q '*=job:*' -- $typed; or return",
        "    set -l start (string replace -r '=job:.*$' '=job:' -- $typed)",
        "    set -l rest (string replace -r '^.*?=job:' '' -- $typed)",
        "    if string match -q '*/*' -- $rest",
        f"        for path in ({PATHS} (string replace / : -- $rest) 2>/dev/null); echo $start(string replace : / -- $path); end",
        f"    else; for id in ({IDS}) @last; echo $start$id/; end; end",
        "end",
        "function __jobctl_second; test (count (commandline -opc)) -ge 3; end",
        "# Prints what the cursor is at, after the command $argv[1]: an option or the image (first), only the image (image), the value of",
        "# an option (value), or a word of the command after the image (command). $argv[2] matches a word that a value follows.",
        "function __jobctl_place",
        "    set -l place; set -l skipped yes",
        "    for word in (commandline -opc)",
        '        if test -n "$skipped"; set skipped',
        '        else if test -z "$place"',
        "            switch $word",
        "                case --host -o --output; set skipped yes",
        "                case '-*'",
        "                case $argv[1]; set place first",
        "                case '*'; return",
        "            end",
        '        else if test "$place" = first; and test "$word" = --; set place image',
        "        else if test \"$place\" = first; and string match -qr -- '^-.' $word",
        "            string match -qr -- $argv[2] $word; and set skipped yes",
        "        else; set place command; break; end",
        "    end",
        '    test -n "$skipped"; and set place value',
        "    echo $place",
        "end",
        f"function __jobctl_images; {IMAGES}; end",
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
        if command.argument == "image":
            place = f"__jobctl_place_{command.name}"
            lines.append(
                f"function {place}; __jobctl_place {command.name} '{before_value(command.options)}'; end"
            )
            seen = f"-n 'contains -- ({place}) first value'"
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
            elif option.groups:
                value = " -x -a '(__jobctl_groups)'"
            elif option.sets:
                value = " -x -a '(__jobctl_sets)'"
            elif option.pairs:  # fish completes files after a = by itself
                value = " -r -F -a '(__jobctl_input)'"
            elif option.files:
                value = " -r -F"
            else:
                value = " -x" if option.takes_value else ""
            lines.append(f"complete -c jobctl {seen} {spelled}{value} -d '{_fish_quoted(option.help)}'")
        if command.argument == "jobs":
            lines.append(f"complete -c jobctl {seen} -a '(__jobctl_jobs)'")
        elif command.argument == "active":
            lines.append(f"complete -c jobctl {seen} -a '(__jobctl_active)'")
        elif command.argument == "waiting":
            lines.append(f"complete -c jobctl {seen} -a '(__jobctl_waiting)'")
        elif command.argument == "group":
            within = f"__fish_seen_subcommand_from {command.name}"
            lines.append(f"complete -c jobctl -n '{within}; and not __jobctl_second' -a '{GROUP_ACTIONS}'")
            lines.append(f"complete -c jobctl -n '{within}; and __jobctl_second' -a '(__jobctl_groups)'")
        elif command.argument == "ended":
            lines.append(f"complete -c jobctl {seen} -a '(__jobctl_ended)'")
        elif command.argument == "copy":
            within = f"__fish_seen_subcommand_from {command.name}"
            lines.append(f"complete -c jobctl -n '{within}; and not __jobctl_second' -a '(__jobctl_source)'")
            lines.append(f"complete -c jobctl -n '{within}; and __jobctl_second' -F")
        elif command.argument == "image":
            lines.append(
                f"complete -c jobctl -n 'contains -- ({place}) first image' -k -a '(__jobctl_images)'"
            )
        elif command.argument == "shells":
            lines.append(f"complete -c jobctl {seen} -a '{' '.join(SHELLS)}'")
        elif command.argument == "daemon":
            lines.append(f"complete -c jobctl {seen} -a '{DAEMON_ACTIONS}'")
        elif command.argument == "files":
            lines.append(f"complete -c jobctl {seen} -F")
    return "\n".join(lines) + "\n"


def _fish_quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
