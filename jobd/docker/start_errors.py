"""Why a container did not start, in words: what the runtime says of it without the chain of programs that passed it on. Pure.

Source: the messages of runc's `libcontainer` (exec and chdir of its init) and of Go's `os/exec`, as the engine hands them on.
"""

import re

_CHAIN = re.compile(r"^.*unable to start container process: ", re.DOTALL)
_EXEC = re.compile(r'exec: "(?P<program>[^"]*)": (?P<why>.*)$', re.DOTALL)
_FOLDER = re.compile(r'chdir to cwd \("(?P<folder>[^"]*)"\).*failed: (?P<why>.*)$', re.DOTALL)
_ENDING = re.compile(r"(: unknown|: Are you trying to mount .*)$", re.DOTALL)


def start_words(message: str) -> str:
    """Returns what a message of a refused start says, in words where they are known, else its last part as it is."""
    said = _ENDING.sub("", _CHAIN.sub("", message.strip()))
    if found := _EXEC.search(said):
        return _program(found["program"], found["why"].lower(), said)
    if found := _FOLDER.search(said):
        return f"the working directory {found['folder']!r} cannot be entered: {found['why']}"
    return said.removeprefix("OCI runtime create failed: ").removeprefix("runc create failed: ")


def _program(name: str, why: str, said: str) -> str:
    if "executable file not found" in why or "no such file" in why or "not a directory" in why:
        return f"there is no program {name!r} in the image"
    if "permission denied" in why:
        return f"{name!r} is not executable for the job's user: its mode has no x, or it is a folder"
    if "is a directory" in why:
        return f"{name!r} is not executable: it is a folder"
    if "exec format error" in why:
        return f"{name!r} is no program for this machine's architecture, or a script without #! in its first line"
    return said
