"""Reads the files that flags of `run` name: variables, secrets and keys."""

from jobctl.errors import LocalFile, Misuse


def text_of(path: str, flag: str) -> str:
    """Returns the text of a file. Raises LocalFile: the file cannot be read, or is not UTF-8."""
    from pathlib import Path

    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "the file is not UTF-8 text"
        raise LocalFile(f"{flag}: {path} cannot be read: {why}") from None


def secrets(pairs: list[str]) -> list[tuple[str, str]]:
    """Returns the name and text of each `--secret NAME=FILE`. Raises Misuse, LocalFile."""
    result = []
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not name or not equals or not path:
            raise Misuse(
                "--secret must be NAME=FILE; a value on the command line would be visible to other users",
                field="secrets",
            )
        result.append((name, text_of(path, "--secret")))
    return result


def callback_key(path: str | None) -> str | None:
    """Returns the key of `--callback-key-file`. Raises LocalFile: the file cannot be read, or is empty."""
    if path is None:
        return None
    from jobctl.receiving.signatures import joined

    key = joined(text_of(path, "--callback-key-file"))
    if not key:
        raise LocalFile(f"--callback-key-file: {path} is empty", field="callback.key")
    return key
