"""write: writes a text of the spec, as UTF-8, into a file."""

from jobd.wire.artifact import Write
from sidecar.artifacts.base import Context, Transferred
from sidecar.errors import ArtifactError

DEFAULT_MODE = 0o644


def transfer(artifact: Write, context: Context) -> Transferred:
    """Writes the file with the spec's permissions, default 0644, regardless of the umask."""
    try:
        mode = int(artifact.mode, 8) if artifact.mode is not None else DEFAULT_MODE
        content = artifact.source.encode()
    except UnicodeEncodeError:
        raise ArtifactError("the text cannot be written as UTF-8") from None
    except ValueError:
        raise ArtifactError(f'mode {artifact.mode!r} is not octal permissions such as "0644"') from None
    with (
        context.interrupts.time_limit(context.caps.local_s),
        context.workspace.replace(artifact.out, mode & 0o777) as file,
    ):
        file.write(content)
    return Transferred(size_bytes=len(content))
