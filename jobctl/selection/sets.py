"""Sets of jobs on the command line: `--set SET`, and an id that is no job's."""

import json
from typing import Any

from jobctl.connection.client import LONGEST_ERROR_BYTES, Client, quoted, read_all
from jobctl.errors import Misuse, NotFound, Refused
from jobctl.value import Value

View = dict[str, Any]


class NamedSet(Value):
    """A set, and the numbers of its jobs as the daemon answers them."""

    id: str
    view: View


def set_path(set_id: str, *rest: str) -> str:
    """Returns the path of a set's resource."""
    return "/".join(["/v1/sets", quoted(set_id), *rest])


def show_set(client: Client, set_id: str) -> View:
    """Returns the numbers of a set. The next request may use the same connection. Raises NotFound: the set has no jobs."""
    with client.open("GET", set_path(set_id), keep=True) as response:
        view: View = json.loads(read_all(response, LONGEST_ERROR_BYTES))
        return view


def find_set(client: Client, text: str) -> NamedSet | None:
    """Returns the set with this id, None where there is none."""
    try:
        return NamedSet(text, show_set(client, text))
    except NotFound:
        return None
    except Refused as error:
        if error.field == "id":  # the text cannot be the id of a set
            return None
        raise


def the_set(client: Client, set_id: str, *others: object) -> NamedSet:
    """Returns the set that `--set` names. `others`: the ids and labels of the command line, of which there must be none.

    Raises:
        Misuse: ids or labels are given too, or the id is empty. NotFound: there is no such set.
    """
    if any(others):
        raise Misuse("give either ids, --label or --set")
    if not set_id:
        raise Misuse("--set needs the id of a set", hint="a variable of the shell may be empty")
    found = find_set(client, set_id)
    if found is None:
        from jobctl.selection.near_ids import no_set

        raise no_set(client, set_id)
    return found
