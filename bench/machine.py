"""Processes pinned to a core, started, waited for, measured and ended."""

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SERVER_CORE = 0
LOAD_CORE = 1
"""The load generator and the upstream share the second core: neither may take time from what is measured."""

START_SECONDS = 30
SETTLE_SECONDS = 5
REST_SECONDS = 0.6
"""Longer than the time between two writes of our call log."""


class BenchError(Exception):
    """The benchmark cannot run, or what it measures answers wrongly."""


@dataclass
class Pinned:
    """One running process."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    started_in: float = 0.0

    def rss_mib(self) -> float:
        """Return the resident memory of the process alone."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
        return int(kib) / 1024

    def rss_mb_with_children(self) -> float:
        """Return the resident memory of the process and its children, in MB (10^6)."""
        total = 0
        for pid in _with_children([self.process.pid]):
            for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
                if line.startswith("VmRSS"):
                    total += int(line.split()[1]) * 1024
        return total / 1e6

    def cpu_seconds(self) -> float:
        """Return the processor time that the process and its children have used."""
        return ticks_of([self.process.pid]) / os.sysconf("SC_CLK_TCK")

    def wait_for_200(self, port: int, path: str) -> None:
        """Wait until ``path`` is answered 200. Raises ``BenchError``."""
        until = time.perf_counter() + START_SECONDS
        while time.perf_counter() < until and self.process.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", path)
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            finally:
                connection.close()
            time.sleep(0.002)
        tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        message = f"{self.name} does not answer {path}:\n{tail}"
        raise BenchError(message)

    def stop(self) -> None:
        """End it, politely first."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


def start(
    name: str,
    command: Sequence[str],
    *,
    core: int | None,
    port: int,
    folder: Path,
    env: Mapping[str, str] | None = None,
) -> Pinned:
    """Start ``command`` on ``core``, or unpinned, and wait until it accepts connections on ``port``."""
    log = folder / f"{name}.log"
    begun = time.perf_counter()
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["taskset", "-c", f"0-{os.cpu_count() or 1}" if core is None else str(core), *command],
            stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder, env={**os.environ, **(env or {})},
        )  # fmt: skip
    pinned = Pinned(name, process, log)
    while not listening(port):
        if process.poll() is not None or time.perf_counter() - begun > START_SECONDS:
            pinned.stop()
            tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            message = f"{name} does not start:\n{tail}"
            raise BenchError(message)
        time.sleep(0.005)
    pinned.started_in = time.perf_counter() - begun
    return pinned


def listening(port: int) -> bool:
    """Tell whether somebody accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def busy_ticks() -> tuple[int, int]:
    """Return ``(all, busy)`` processor ticks since the machine started."""
    line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    ticks = [int(field) for field in line.split()[1:9]]
    return sum(ticks), sum(ticks) - ticks[3] - ticks[4]


def own_cpu_seconds() -> float:
    """Return the processor time that this process has used."""
    used = os.times()
    return used.user + used.system


def ticks_of(pids: Sequence[int]) -> int:
    """Return the ticks used by processes and their living and ended children."""
    return sum(_ticks(pid) for pid in _with_children(pids))


def settle(pids: Sequence[int]) -> None:
    """Wait until these processes rest: what one still has to write would be taken from the next that is measured."""
    until = time.perf_counter() + SETTLE_SECONDS
    while time.perf_counter() < until:
        before = ticks_of(pids)
        time.sleep(REST_SECONDS)
        if ticks_of(pids) - before <= 1:
            return


def _ticks(pid: int) -> int:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return 0
    return sum(int(after_name[at]) for at in (11, 12, 13, 14))


def _with_children(pids: Sequence[int]) -> list[int]:
    found = list(pids)
    for pid in found:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                found += [int(child) for child in children.read_text(encoding="ascii").split()]
            except OSError:
                continue
    return found


def describe() -> str:
    """Return one line about the machine."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown processor",
    )
    return f"{model}, {os.cpu_count()} cores; server on core {SERVER_CORE}, load and upstream on core {LOAD_CORE}"
