"""Refresh rotations: as many as go, and the latency of a paced stream of them while something else saturates the server.

Each chain is one connection of one user and client; a chain's next request holds the token that the last one answered.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import uvloop

from bench.machine import BenchError

TOKEN_PATH = "/oauth/token"


@dataclass
class Chain:
    """One refresh family, and the kept-alive connection that it is rotated over."""

    port: int
    client_id: str
    token: str
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None

    async def rotate(self) -> None:
        """Exchange the refresh token once. Raises ``BenchError`` for any answer but a new token."""
        if self.reader is None or self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        form = {"grant_type": "refresh_token", "refresh_token": self.token, "client_id": self.client_id}
        body = urlencode(form).encode()
        head = (
            f"POST {TOKEN_PATH} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        lines = answer.lower().split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
        text = await self.reader.readexactly(length)
        if not answer.startswith(b"HTTP/1.1 200"):
            message = f"a rotation was answered {answer[:60]!r} {text[:300]!r}"
            raise BenchError(message)
        self.token = json.loads(text)["refresh_token"]

    def close(self) -> None:
        """Close the connection; the token stays good."""
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


def saturate(chains: Sequence[Chain], seconds: float) -> float:
    """Rotate all chains as fast as they go; return rotations per second."""

    async def one(chain: Chain, until: float) -> int:
        count = 0
        while time.perf_counter() < until:
            await chain.rotate()
            count += 1
        return count

    async def everything() -> float:
        begun = time.perf_counter()
        counts = await asyncio.gather(*(one(chain, begun + seconds) for chain in chains))
        for chain in chains:
            chain.close()
        return sum(counts) / (time.perf_counter() - begun)

    return uvloop.run(everything())


def paced(chains: Sequence[Chain], *, per_second: float, seconds: float) -> list[float]:
    """Rotate at a fixed pace; return every latency in ms, sorted.

    A latency counts from the moment the rotation was due, not from when it could be sent: a stalled server is charged
    for all that waited meanwhile.
    """

    async def everything() -> list[float]:
        free: asyncio.Queue[Chain] = asyncio.Queue()
        for chain in chains:
            free.put_nowait(chain)
        latencies: list[float] = []

        async def one(due: float) -> None:
            chain = await free.get()
            await chain.rotate()
            latencies.append((time.perf_counter() - due) * 1000)
            free.put_nowait(chain)

        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(round(per_second * seconds)):
                due = begun + number / per_second
                await asyncio.sleep(max(0, due - time.perf_counter()))
                group.create_task(one(due))
        for chain in chains:
            chain.close()
        return sorted(latencies)

    return uvloop.run(everything())


def percentile(values: Sequence[float], part: float) -> float:
    """Return a percentile of sorted values."""
    return values[min(len(values) - 1, round(part / 100 * len(values)))] if values else float("nan")


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)
