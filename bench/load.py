"""wrk on the load core, one run at a time."""

import http.client
import json
import os
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import LOAD_CORE, BenchError, busy_ticks, ticks_of

TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
SCRIPT = Path(__file__).with_name("post.lua")


@dataclass(frozen=True)
class Work:
    """One kind of request to one target."""

    port: int
    body: str
    headers: Mapping[str, str]

    def wire_headers(self) -> dict[str, str]:
        """Return all headers, as a client sends them."""
        common = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        return {**common, **self.headers}


@dataclass(frozen=True)
class Figures:
    """One run. ``others`` is the share of the machine that neither the bench nor its servers used."""

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    others: float
    cpu_us: float = 0.0
    """Processor time of the measured processes for each request: says more than a rate where the machine is busy."""


def check(name: str, work: Work, expected: str) -> None:
    """Send one request and raise ``BenchError`` unless the answer is 200 and holds ``expected``."""
    connection = http.client.HTTPConnection("127.0.0.1", work.port, timeout=20)
    try:
        connection.request("POST", "/mcp", work.body.encode(), work.wire_headers())
        response = connection.getresponse()
        body = response.read().decode("utf-8", "replace")
    finally:
        connection.close()
    if response.status != 200 or expected not in body:
        message = f"{name} answers {response.status}: {body[:500]}"
        raise BenchError(message)


def begin(work: Work, *, connections: int, seconds: int, output: Path) -> "subprocess.Popen[bytes]":
    """Start wrk; ``finish`` reads what it found."""
    output.unlink(missing_ok=True)
    headers = "\n".join(f"{name}: {value}" for name, value in work.wire_headers().items())
    command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s"]
    return subprocess.Popen(
        [*command, "-s", str(SCRIPT), f"http://127.0.0.1:{work.port}/mcp"],
        env={**os.environ, "BODY": work.body, "HEADERS": headers, "OUT": str(output)},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process: "subprocess.Popen[bytes]", output: Path) -> dict[str, int]:
    """Wait for wrk and return its figures."""
    _, said = process.communicate(timeout=120)
    if process.returncode != 0 or not output.exists():
        message = f"wrk failed: {said.decode('utf-8', 'replace')[-500:]}"
        raise BenchError(message)
    found: dict[str, int] = json.loads(output.read_text(encoding="ascii"))
    return found


def run(
    work: Work, *, connections: int, seconds: int, output: Path, pids: Sequence[int], own: Sequence[int] = ()
) -> Figures:
    """Run once. ``pids`` are the processes whose work belongs to the bench, ``own`` those that are measured."""
    pids = [*pids, os.getpid()]
    before, ours_before, own_before = busy_ticks(), ticks_of(pids), ticks_of(own)
    found = finish(begin(work, connections=connections, seconds=seconds, output=output), output)
    after, ours_after, own_after = busy_ticks(), ticks_of(pids), ticks_of(own)
    others = max(0, (after[1] - before[1]) - (ours_after - ours_before)) / max(1, after[0] - before[0])
    return Figures(
        per_second=found["requests"] / (found["duration_us"] / 1e6),
        p50_ms=found["p50_us"] / 1000,
        p99_ms=found["p99_us"] / 1000,
        errors=found["errors"],
        others=others,
        cpu_us=(own_after - own_before) * TICK_US / max(1, found["requests"]),
    )


def median(runs: Sequence[Figures]) -> Figures:
    """Return the median of each figure, all errors, and the worst noise."""
    return Figures(
        per_second=statistics.median(run.per_second for run in runs),
        p50_ms=statistics.median(run.p50_ms for run in runs),
        p99_ms=statistics.median(run.p99_ms for run in runs),
        errors=sum(run.errors for run in runs),
        others=max(run.others for run in runs),
        cpu_us=statistics.median(run.cpu_us for run in runs),
    )
