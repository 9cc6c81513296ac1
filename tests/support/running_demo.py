"""A real ``doorward demo`` in a process of its own, told apart from others by its data directory."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 60


@dataclass
class Demo:
    """What ``doorward demo --json`` printed, and the process."""

    printed: dict[str, Any]
    data: Path
    process: "subprocess.Popen[str]"

    @property
    def url(self) -> str:
        return str(self.printed["url"])

    @property
    def mcp_url(self) -> str:
        return str(self.printed["mcp_url"])

    def tenant_url(self, slug: str) -> str:
        return next(str(tenant["mcp_url"]) for tenant in self.printed["tenants"] if tenant["slug"] == slug)

    def user(self, role: str, tenant: str = "acme") -> tuple[str, str]:
        """Return ``(email, password)`` of somebody with ``role`` in ``tenant`` and no other tenant."""
        for user in self.printed["users"]:
            if user["tenants"] == [{"slug": tenant, "role": role}]:
                return user["email"], user["password"]
        raise LookupError(role)

    def key(self) -> str:
        return str(self.printed["api_keys"][0]["key"])

    def command(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run ``doorward ARGUMENTS --data DIR`` beside the running server."""
        return run("doorward.cli.main", *arguments, "--data", str(self.data), check=check)

    def apply(self, document: dict[str, Any]) -> None:
        path = self.data.parent / f"apply-{os.getpid()}.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        self.command("apply", "-f", str(path))


def run(module: str, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run a command of ours to its end."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def free_port() -> int:
    """Return a port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_demo(data: Path, *more: str) -> Iterator[Demo]:
    """Start the demo on a free port with ``data``, and end it with everything it started."""
    process = start(data, free_port(), *more)
    try:
        yield process
    finally:
        stop(process)


def start(
    data: Path,
    port: int,
    *more: str,
    program: Sequence[str] = ("-m", "doorward.cli.main"),
    env: Mapping[str, str] | None = None,
) -> Demo:
    """Start the demo and wait for the one line that says it is ready."""
    arguments: Sequence[str] = ("demo", "--json", "--port", str(port), "--data", str(data), *more)
    log = (data.parent / f"{data.name}.log").open("a", encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, *program, *arguments],
        stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8", start_new_session=True,
        env={**os.environ, "PYTHONFAULTHANDLER": "1", **(env or {})},
    )  # fmt: skip
    log.close()
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], START_SECONDS)[0]:
        # The fault handler tells where each thread stands.
        process.send_signal(signal.SIGABRT)
    line = process.stdout.readline()
    if not line:
        process.wait(START_SECONDS)
        process.stdout.close()
        raise AssertionError((data.parent / f"{data.name}.log").read_text(encoding="utf-8")[-3000:])
    return Demo(json.loads(line), data, process)


def stop(demo: Demo, signum: int = signal.SIGTERM) -> None:
    """End the demo as an operator would."""
    if demo.process.poll() is None:
        demo.process.send_signal(signum)
    try:
        demo.process.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(demo.process.pid, signal.SIGKILL)
        demo.process.wait(5)
    if demo.process.stdout:
        demo.process.stdout.close()
