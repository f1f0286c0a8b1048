"""Attaching a client to a worker, which jobd does not do on Kubernetes: each attempt is refused with the reason."""

from contextlib import AbstractAsyncContextManager
from typing import NoReturn

from jobd.jobs.port.errors import ContainerGone, RefusedByEngine
from jobd.jobs.port.interactive import OutputConnection, ProcessInput


class NoOutput(AbstractAsyncContextManager[OutputConnection, None]):
    """A worker's output before its lines end."""

    async def __aenter__(self) -> NoReturn:
        raise ContainerGone("on Kubernetes a worker's output is read line by line")

    async def __aexit__(self, *error: object) -> None:
        return None


class NoInput(AbstractAsyncContextManager[ProcessInput, None]):
    """A worker's standard input."""

    async def __aenter__(self) -> NoReturn:
        raise RefusedByEngine("jobd attaches no client to a Pod")

    async def __aexit__(self, *error: object) -> None:
        return None
