"""The resolver's bounds: names, addresses per name, and queries to a name server that does not answer."""

import asyncio
import socket
import threading
from typing import Any

import pytest

from jobd.events.http.egress import EgressPolicy, EgressRule
from jobd.events.http.resolver import MAX_ADDRESSES, MAX_KEPT, THREADS, EgressResolver

POLICY = EgressPolicy(EgressRule())


def answers(monkeypatch: pytest.MonkeyPatch, ips: list[str]) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 0)) for ip in ips]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


async def test_the_addresses_of_a_name_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, [f"10.0.{n // 256}.{n % 256}" for n in range(4000)])
    resolver = EgressResolver(POLICY)
    first = await resolver.resolve("many.example", 80)
    assert first == [f"10.0.0.{n}" for n in range(MAX_ADDRESSES)]
    assert [len(ips) for _, ips in resolver._kept.values()] == [MAX_ADDRESSES]
    assert await resolver.resolve("many.example", 80) == first
    await resolver.close()


async def test_the_names_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, ["10.0.0.1"])
    resolver = EgressResolver(POLICY)
    for n in range(MAX_KEPT + 20):
        await resolver.resolve(f"h{n}.example", 80)
    assert len(resolver._kept) == MAX_KEPT
    assert "h0.example" not in resolver._kept
    await resolver.close()


async def test_queries_to_a_name_server_that_does_not_answer_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = threading.Event()

    def silent(*_: Any, **__: Any) -> list[Any]:
        answered.wait(10)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    resolver = EgressResolver(POLICY, timeout_s=0.01)
    try:
        for _ in range(4):
            asked = [resolver.resolve(f"h{n}.example", 80) for n in range(THREADS)]
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
            assert {str(outcome) for outcome in outcomes} == {"the name server did not answer in time"}
            assert resolver._pool._work_queue.qsize() == 0
    finally:
        answered.set()
    patient = EgressResolver(POLICY)
    assert await patient.resolve("h.example", 80) == ["10.0.0.1"]
    while resolver._threads._value < THREADS:
        await asyncio.sleep(0)
    await patient.close()
    await resolver.close()
