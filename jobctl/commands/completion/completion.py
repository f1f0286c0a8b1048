"""`jobctl completion`: the completion script of a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from jobctl.output import output

if TYPE_CHECKING:
    import typer

FORMATS: tuple[str, ...] = ()
EXAMPLES = """
  source <(jobctl completion bash)
  jobctl completion zsh > "${fpath[1]}/_jobctl"
  jobctl completion fish > ~/.config/fish/completions/jobctl.fish
"""


def completion(
    ctx: typer.Context,
    shell: Annotated[
        Literal["bash", "zsh", "fish"], typer.Argument(help="bash, zsh or fish.", show_default=False)
    ],
) -> None:
    """Print the completion script of a shell. It completes commands, flags, ids of jobs, local paths, paths in workspaces and the
    images of recent jobs.
    """
    from jobctl.completion.describe import words
    from jobctl.completion.shells import script

    output.text(script(shell, words()))
