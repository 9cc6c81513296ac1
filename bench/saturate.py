"""One kind of load over 16 connections for a time: as many as go, each connection sends its next once it has its answer."""

import asyncio
import itertools
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bench.machine import BenchError, Pinned, busy_ticks, own_cpu_seconds
from bench.rotation import percentile
from bench.subjects import Subject
from bench.wire import Answer, Wire

CONNECTIONS = 16
KINDS = ("client_credentials", "rotation", "introspection", "flow")
TOKENS = 64
"""So many access tokens are asked about in turn."""
WARM_SECONDS = 0.4

Step = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Rate:
    """One run. ``cpu_us`` is processor time of the server per request, ``load`` the share of its core that the load used."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    load: float
    others: float


async def steps(subject: Subject, kind: str, wires: Sequence[Wire]) -> list[Step]:
    """Return for each connection what it does again and again."""
    if kind == "flow":
        return [_flow(subject, wire) for wire in wires]
    if kind == "rotation":
        return [_rotation(subject, wire, await subject.flow(wire)) for wire in wires]
    if kind == "client_credentials":
        return [_same(wire, itertools.repeat(subject.client_credentials()), b'"access_token"') for wire in wires]
    asked = [subject.introspection(await subject.access_token(wires[0])) for _ in range(TOKENS)]
    return [_same(wire, itertools.cycle(asked), b"true") for wire in wires]


def _flow(subject: Subject, wire: Wire) -> Step:
    async def step() -> None:
        await subject.flow(wire)

    return step


def _rotation(subject: Subject, wire: Wire, token: str) -> Step:
    async def step() -> None:
        nonlocal token
        answer = await wire.send(subject.refresh(token))
        token = json.loads(_checked(answer, b'"refresh_token"').body)["refresh_token"]

    return step


def _same(wire: Wire, requests: "itertools.repeat[bytes] | itertools.cycle[bytes]", wanted: bytes) -> Step:
    async def step() -> None:
        _checked(await wire.send(next(requests)), wanted)

    return step


def _checked(answer: Answer, wanted: bytes) -> Answer:
    if answer.status != 200 or wanted not in answer.body:
        raise answer.unexpected(wanted.decode())
    return answer


async def run(subject: Subject, server: Pinned, kind: str, seconds: float, connections: int = CONNECTIONS) -> Rate:
    """Put ``subject`` under one kind of load. Raises ``BenchError`` for any answer but the right one."""
    wires = [Wire(subject.port) for _ in range(connections)]
    try:
        walks = await steps(subject, kind, wires)
        await _all(walks, WARM_SECONDS)
        before, mine, begun, busy = server.cpu_seconds(), own_cpu_seconds(), time.perf_counter(), busy_ticks()
        latencies = await _all(walks, seconds)
        taken = time.perf_counter() - begun
        used, loaded, now_busy = server.cpu_seconds() - before, own_cpu_seconds() - mine, busy_ticks()
    finally:
        for wire in wires:
            wire.close()
    if not latencies:
        message = f"{subject.name} answered nothing within {seconds} s"
        raise BenchError(message)
    return rate(latencies, taken, used=used, loaded=loaded, ticks=(now_busy[0] - busy[0], now_busy[1] - busy[1]))


def rate(latencies: list[float], taken: float, *, used: float, loaded: float, ticks: tuple[int, int]) -> Rate:
    """Return the figures of a run of ``taken`` s; ``used`` and ``loaded`` are the server's and our processor seconds.

    ``ticks`` are those of all processors in that time, all and busy ones.
    """
    latencies.sort()
    share, ours = ticks[1] / max(1, ticks[0]), (used + loaded) / taken / (os.cpu_count() or 1)
    return Rate(
        per_second=len(latencies) / taken,
        p50_ms=percentile(latencies, 50) * 1000,
        p99_ms=percentile(latencies, 99) * 1000,
        cpu_us=used / len(latencies) * 1e6,
        load=loaded / taken,
        others=max(0.0, share - ours),
    )


async def _all(walks: Sequence[Step], seconds: float) -> list[float]:
    until, latencies = time.perf_counter() + seconds, []

    async def walk(step: Step) -> None:
        while (begun := time.perf_counter()) < until:
            await step()
            latencies.append(time.perf_counter() - begun)

    async with asyncio.TaskGroup() as group:
        for step in walks:
            group.create_task(walk(step))
    return latencies


def median(runs: Sequence[Rate]) -> Rate:
    """Return the median of each figure, and the worst noise."""
    return Rate(
        per_second=statistics.median(run.per_second for run in runs),
        p50_ms=statistics.median(run.p50_ms for run in runs),
        p99_ms=statistics.median(run.p99_ms for run in runs),
        cpu_us=statistics.median(run.cpu_us for run in runs),
        load=max(run.load for run in runs),
        others=max(run.others for run in runs),
    )
