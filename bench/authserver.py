"""The authorization server next to its peers, all kinds of load in turn; then with a million tokens, and beside sign-ins."""

import asyncio
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import uvloop

from bench import saturate, seed
from bench.authserver_table import Asked, AuthReport, Subjects
from bench.deployment import GUESTS, deploy, guest
from bench.machine import Pinned, describe, free_port
from bench.own import Own, copy, own
from bench.rotation import percentile
from bench.saturate import Rate
from bench.subjects import Subject, peers
from bench.wire import Wire, post

COLD_STARTS = 3
MILLION = 1_000_000
SEEDED_KINDS = ("client_credentials", "rotation", "introspection")
PACE = 100
"""Token requests a second beside sign-ins: the latency is measured, not how many go."""

Progress = Callable[[str], None]


def measure(runs: int, seconds: int, folder: Path, progress: Progress, *, million: int = MILLION) -> AuthReport:
    """Measure everything. Raises ``BenchError`` where a server answers wrongly."""
    deployment = deploy(folder / "doorward-auth", port=free_port(), upstream_port=free_port())
    ours = own(deployment)
    seeded = own(copy(deployment, folder / "doorward-million", free_port()), "doorward with a million", like=ours)
    progress(f"seeding {million:,} refresh tokens and keys")
    seed.fill(seeded.deployment.folder, million)
    others, missing = peers(folder)
    report = AuthReport(describe(), runs, seconds, missing=missing, million=million)
    with ExitStack() as stack:
        running = {subject.name: _start(subject, folder, stack, report, progress) for subject in (ours, *others)}
        uvloop.run(_rates([ours, *others], running, report, progress))
        for subject in (ours, *others):
            report.subjects[subject.name].loaded_mb = running[subject.name].rss_mb_with_children()
    report.pages_per_flow = 1 if ours.approvals else 0
    with ExitStack() as stack:
        pair = [_started(subject, folder, stack) for subject in (ours, seeded)]
        uvloop.run(_million([ours, seeded], pair, report, progress))
    with ExitStack() as stack:
        _started(ours, folder, stack, pinned=False)
        progress("token endpoint beside sign-ins")
        uvloop.run(_beside_sign_ins(ours, report))
    return report


def _start(subject: Subject, folder: Path, stack: ExitStack, report: AuthReport, progress: Progress) -> Pinned:
    """Start it some times for the time that takes, and leave the last one running."""
    cold = []
    for turn in range(COLD_STARTS):
        progress(f"cold start {turn + 1} of {COLD_STARTS}: {subject.name}")
        running = subject.start(folder)
        cold.append(running.started_in)
        if turn < COLD_STARTS - 1:
            running.stop()
    stack.callback(running.stop)
    uvloop.run(_prepare(subject))
    report.subjects[subject.name] = Subjects(
        remark=subject.remark, cold_s=statistics.median(cold), idle_mb=running.rss_mb_with_children()
    )
    return running


def _started(subject: Subject, folder: Path, stack: ExitStack, *, pinned: bool = True) -> Pinned:
    running = subject.start(folder) if pinned else subject.start(folder, None)
    stack.callback(running.stop)
    uvloop.run(_prepare(subject))
    return running


async def _prepare(subject: Subject) -> None:
    wire = Wire(subject.port)
    try:
        await subject.prepare(wire)
    finally:
        wire.close()


async def _rates(
    subjects: Sequence[Subject], running: dict[str, Pinned], report: AuthReport, progress: Progress
) -> None:
    found: Asked[list[Rate]] = {subject.name: {kind: [] for kind in subject.kinds} for subject in subjects}
    for turn in range(report.runs):
        for kind in saturate.KINDS:
            for subject in subjects:
                if kind in subject.kinds:
                    progress(f"run {turn + 1} of {report.runs}: {kind}, {subject.name}")
                    one = await saturate.run(subject, running[subject.name], kind, report.seconds)
                    found[subject.name][kind].append(one)
    report.rates = {
        name: {kind: saturate.median(each) for kind, each in kinds.items()} for name, kinds in found.items()
    }


async def _million(pair: Sequence[Subject], running: Sequence[Pinned], report: AuthReport, progress: Progress) -> None:
    for kind in SEEDED_KINDS:
        ratios = []
        for turn in range(report.runs):
            progress(f"with a million, run {turn + 1} of {report.runs}: {kind}")
            empty, full = [
                (await saturate.run(subject, server, kind, report.seconds)).per_second
                for subject, server in zip(pair, running, strict=True)
            ]
            ratios.append(full / empty)
        report.seeded[kind] = statistics.median(ratios)


async def _beside_sign_ins(ours: Own, report: AuthReport) -> None:
    """Measure the paced token endpoint, in turn without and with as many sign-ins as there are guests."""
    without, beside = [], []
    for _ in range(report.runs):
        without.append(percentile(await _paced(ours, report.seconds), 99))
        stop = asyncio.Event()
        signing = [asyncio.create_task(_sign_in(ours, number, stop)) for number in range(GUESTS)]
        beside.append(percentile(await _paced(ours, report.seconds), 99))
        stop.set()
        report.sign_ins += sum(await asyncio.gather(*signing))
    report.alone_p99_ms, report.beside_p99_ms = statistics.median(without), statistics.median(beside)


async def _paced(ours: Own, seconds: float) -> list[float]:
    """Return the latencies in ms, sorted; each counts from when its request was due."""
    loop, free, latencies = asyncio.get_running_loop(), [Wire(ours.port) for _ in range(saturate.CONNECTIONS)], []
    request = ours.client_credentials()

    async def one(due: float) -> None:
        wire = free.pop() if free else Wire(ours.port)
        answer = await wire.send(request)
        if answer.status != 200:
            raise answer.unexpected("an access token")
        latencies.append((loop.time() - due) * 1000)
        free.append(wire)

    begun = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(round(PACE * seconds)):
            due = begun + number / PACE
            await asyncio.sleep(max(0, due - loop.time()))
            group.create_task(one(due))
    for wire in free:
        wire.close()
    return sorted(latencies)


async def _sign_in(ours: Own, number: int, stop: asyncio.Event) -> int:
    """Sign one guest in again and again; return how often."""
    wire, count = Wire(ours.port), 0
    form = {"email": guest(number), "password": ours.deployment.password, "next": "/"}
    while not stop.is_set():
        answer = await wire.send(post("/sign-in", form, origin=ours.deployment.url))
        if answer.status != 303:
            raise answer.unexpected("a session")
        count += 1
    wire.close()
    return count
