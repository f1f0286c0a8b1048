"""The local images whose names are similar to one that does not exist. Pure."""

import difflib
from collections.abc import Iterable

from docker.utils import parse_repository_tag

MOST_NAMES = 3
LONGEST_NAME = 200
SIMILAR = 0.8
"""Of the repositories' names, as `difflib` measures: one slip in five letters."""
MOST_COMPARED = 1000


def near_names(image: str, local: Iterable[str]) -> list[str]:
    """Returns the most similar of the `local` names with tags: other tags of the same repository, then the same name in another registry or
    folder, then similar names. In a repository the image's own tag comes first.
    """
    wanted, tag = parse_repository_tag(image)
    wanted = wanted.removeprefix("docker.io/").removeprefix("library/")
    repositories: dict[str, list[str]] = {}
    for name in local:
        if len(name) <= LONGEST_NAME and "<none>" not in name and len(repositories) < MOST_COMPARED:
            repositories.setdefault(parse_repository_tag(name)[0], []).append(name)
    same_base = [one for one in repositories if _base(one) == _base(wanted)]
    similar = difflib.get_close_matches(wanted, repositories, n=MOST_NAMES, cutoff=SIMILAR)
    found: list[str] = []
    for repository in dict.fromkeys([*same_base, *similar]):
        names = sorted(repositories[repository], key=lambda name: (_tag(name) != (tag or "latest"), name))
        found += [name for name in names if name != image]
    return sorted(found, key=lambda name: _repository(name) != wanted)[:MOST_NAMES]


def _repository(name: str) -> str:
    return str(parse_repository_tag(name)[0])


def _base(repository: str) -> str:
    return repository.rpartition("/")[2]


def _tag(name: str) -> str:
    return parse_repository_tag(name)[1] or "latest"
