"""What bash offers for the values of `run`."""

import subprocess

import pytest

from jobctl.completion.bash import bash_script
from jobctl.completion.describe import words


def offered(*typed: str) -> list[str]:
    """Returns the offers for the last of the pieces that readline makes of a line, with the jobs zz-1 and zz-2 and the image zz-image."""
    script = (
        f"{bash_script(words())}\n"
        "jobctl() { if [[ $1 == ls ]]; then echo zz-1; echo zz-2; else echo zz-image; fi; }\n"
        f'COMP_WORDS=("$@"); COMP_CWORD={len(typed) - 1}; COMP_WORDBREAKS=$\' \\t\\n"=:@\'\n'
        '_jobctl; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script, "bash", *typed], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("typed", "offers"),
    [
        (("zz-",), ["zz-1", "zz-2"]),
        (("",), ["zz-1", "zz-2", "@last"]),
        (("@",), ["@last"]),
        (("@", "la"), ["@last"]),
        (("=", "zz-1"), ["zz-1"]),
        (("=@", "la"), ["last"]),
        (("@", "last", "zz-"), ["zz-image"]),
    ],
)
@pytest.mark.parametrize("command", ["run", "submit"])
def test_the_job_that_a_run_waits_for(command: str, typed: tuple[str, ...], offers: list[str]) -> None:
    assert offered("jobctl", command, "--after", *typed) == offers


def test_an_image_may_have_an_at_sign() -> None:
    assert offered("jobctl", "run", "-m", "2g", "zz-image", "@", "sha") == []
    assert offered("jobctl", "run", "--gpus", "") == ["all"]


def offered_of_the_queue(*typed: str) -> list[str]:
    """Returns the offers where the daemon has the group zz-gpu, the waiting job zz-w and the active job zz-a."""
    script = (
        f"{bash_script(words())}\n"
        'jobctl() { case "$*" in "group ls -o name"*) echo zz-gpu ;; *running*) echo zz-a ;; *accepted*) echo zz-w ;; esac; }\n'
        f'COMP_WORDS=("$@"); COMP_CWORD={len(typed) - 1}; COMP_WORDBREAKS=$\' \\t\\n"=:@\'\n'
        '_jobctl; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script, "bash", *typed], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("typed", "offers"),
    [
        ("group |", ["set", "ls", "pause", "resume", "rm"]),
        ("group p|", ["pause"]),
        ("group set |", ["zz-gpu"]),
        ("group pause zz-|", ["zz-gpu"]),
        ("group ls |", []),
        ("group set zz-gpu |", []),
        ("group set zz-gpu --m|", ["--max"]),
        ("group set zz-gpu --max |", []),
        ("run --group |", ["zz-gpu"]),
        ("submit --group zz|", ["zz-gpu"]),
        ("ls --group = |", ["zz-gpu"]),
        ("bump |", ["zz-w", "@last"]),
        ("bump --priority 3 zz-|", ["zz-w"]),
        ("pause zz-|", ["zz-a"]),
        ("resume zz-|", ["zz-a"]),
    ],
)
def test_groups_and_waiting_jobs_are_offered(typed: str, offers: list[str]) -> None:
    assert offered_of_the_queue("jobctl", *typed.removesuffix("|").split(" ")) == offers
