"""A job's variables: those of `-e` over those of `--env-file`. Pure."""

from collections.abc import Mapping, Sequence

from jobctl.job.spec.env_file import check_name, entries


def environment(
    pairs: Sequence[str], files: Sequence[tuple[str, str]], environ: Mapping[str, str]
) -> dict[str, str]:
    """Returns the variables of --env-file, overridden by those of -e. A NAME without a value gets the caller's value, or is left out
    where the caller has none, as in docker. `files`: (name, text).

    Raises:
        Misuse: an entry has no name; the message has the file's name and line, or the flag.
    """
    variables: dict[str, str] = {}
    for source, text in files:
        for name, value in entries(text, source):
            _set(variables, name, value, environ)
    for pair in pairs:
        name, equals, given = pair.partition("=")
        check_name(name, pair, "-e")
        _set(variables, name, given if equals else None, environ)
    return variables


def _set(variables: dict[str, str], name: str, value: str | None, environ: Mapping[str, str]) -> None:
    if value is not None:
        variables[name] = value
    elif name in environ:
        variables[name] = environ[name]
