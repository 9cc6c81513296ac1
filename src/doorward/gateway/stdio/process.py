"""One process: started without a shell, with what was declared and nothing of ours, and ended with all it started."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from doorward.gateway.http_connection import UpstreamError, UpstreamFailure

LAUNCHER: Final = Path(__file__).with_name("launch.py")
MAX_WAITING: Final = 8 * 1024 * 1024
"""Bytes that may wait for a process to read them."""
TERM_AFTER, KILL_AFTER = 1.0, 2.0
"""Seconds: after its input was closed, and after it was asked to end."""
SAID_LINE, SAID_BURST, SAID_SECONDS = 500, 20, 10.0
"""Of what it writes to standard error: characters of a line, and lines in so many seconds."""
_CHUNK: Final = 4096

_log = structlog.get_logger("doorward.gateway.stdio")


class Process:
    """Its input and output as lines. ``hidden`` are texts that must not be logged."""

    def __init__(
        self,
        child: asyncio.subprocess.Process,
        transport: asyncio.SubprocessTransport,
        name: str,
        hidden: Sequence[str],
    ) -> None:
        self._child = child
        self._transport = transport
        self._name = name
        self._hidden = hidden
        self._said = asyncio.get_running_loop().create_task(self._log_errors())

    @classmethod
    async def start(  # noqa: PLR0913  (all that a process is)
        cls,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | None,
        memory: int,
        line: int,
        name: str,
        hidden: Sequence[str] = (),
    ) -> "Process":
        """Start ``command``; ``memory`` is MiB, ``line`` bytes of one line of output. Raises ``UpstreamFailure``."""
        loop = asyncio.get_running_loop()
        try:
            # As `asyncio.create_subprocess_exec`, which keeps for itself the transport that has to be closed.
            transport, protocol = await loop.subprocess_exec(
                lambda: asyncio.subprocess.SubprocessStreamProtocol(limit=line, loop=loop),
                sys.executable, "-I", "-S", str(LAUNCHER), str(memory), *command,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                env=dict(env), cwd=cwd or "/", start_new_session=True, close_fds=True,
            )  # fmt: skip
        except (OSError, ValueError) as wrong:
            raise UpstreamFailure(UpstreamError.UNREACHABLE, f"cannot start: {type(wrong).__name__}") from wrong
        return cls(asyncio.subprocess.Process(transport, protocol, loop), transport, name, hidden)

    @property
    def pid(self) -> int:
        """Its number, and that of its process group."""
        return self._child.pid

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield its lines until it ends. Raises ``UpstreamFailure`` for one that is too long."""
        reader = self._child.stdout
        if reader is None:
            return
        while True:
            try:
                line = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError:
                return
            except asyncio.LimitOverrunError:
                raise UpstreamFailure(UpstreamError.TOO_LARGE, "a line over the limit") from None
            except OSError:
                return
            yield line

    def send(self, line: bytes) -> None:
        """Write one line. Raises ``UpstreamFailure`` where it has ended or does not read."""
        to = self._child.stdin
        if to is None or to.is_closing() or self._child.returncode is not None:
            raise UpstreamFailure(UpstreamError.UNREACHABLE, "the process has ended")
        if to.transport.get_write_buffer_size() > MAX_WAITING:
            raise UpstreamFailure(UpstreamError.BUSY, "the process does not read")
        to.write(line + b"\n")

    async def end(self) -> int | None:
        """End it and all that it started; return its exit code."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            for patience, number in ((TERM_AFTER, signal.SIGTERM), (KILL_AFTER, signal.SIGKILL)):
                if await self._ended_within(patience):
                    break
                self._signal(number)
        finally:
            # The group too, and also where we are cancelled: what it started may have outlived it.
            self._signal(signal.SIGKILL)
        await self._child.wait()
        self._transport.close()
        self._said.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._said
        return self._child.returncode

    async def _ended_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._child.wait()
        except TimeoutError:
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        # Its group, which keeps its number as long as one member lives.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)

    async def _log_errors(self) -> None:
        """Log what it says, within bounds; read on in any case, so that it is never made to wait."""
        reader, loop = self._child.stderr, asyncio.get_running_loop()
        since, count, rest = loop.time(), 0, b""
        while reader is not None and (piece := await reader.read(_CHUNK)):
            *lines, rest = (rest + piece).split(b"\n")
            rest = rest[: SAID_LINE * 4]
            if loop.time() - since > SAID_SECONDS:
                since, count = loop.time(), 0
            for line in lines:
                count += 1
                if count <= SAID_BURST and line.strip():
                    _log.info("a stdio server says", server=self._name, said=self._shown(line))
            if count > SAID_BURST >= count - len(lines):
                _log.info("a stdio server says more than is logged", server=self._name)

    def _shown(self, line: bytes) -> str:
        text = line.decode("utf-8", "replace")
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return "".join(each if each.isprintable() else " " for each in text[:SAID_LINE])
