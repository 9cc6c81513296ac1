"""A listener on loopback for the one answer that a browser brings back (RFC 8252 section 7.3)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from doorward.doctor.visit import Person

PATIENCE: Final = 300
"""Seconds for somebody to sign in."""
_LONGEST: Final = 16 * 1024
_READ_SECONDS: Final = 5
_DONE: Final = b"You can close this page and go back to the terminal.\n"
_ELSE: Final = b"Nothing is here.\n"


@asynccontextmanager
async def waiting_for_answers(say: Callable[[str], None]) -> AsyncIterator[tuple[str, "Person"]]:
    """Yield a redirect URI, and what waits there after it has told somebody to open an address."""
    answers: asyncio.Queue[str] = asyncio.Queue()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = await _path(reader)
        told = path.startswith("/callback?")
        body = _DONE if told else _ELSE
        head = f"HTTP/1.1 {'200 OK' if told else '404 Not Found'}\r\ncontent-type: text/plain\r\nconnection: close\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        writer.close()
        if told:
            answers.put_nowait(f"http://127.0.0.1:{port}{path}")

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=_LONGEST)
    port = int(server.sockets[0].getsockname()[1])

    async def person(url: str, *, deny: bool) -> str | None:
        if deny:
            return None  # once is enough of a person's time
        say(url)
        try:
            async with asyncio.timeout(PATIENCE):
                return await answers.get()
        except TimeoutError:
            return None

    async with server:
        yield f"http://127.0.0.1:{port}/callback", person


async def _path(reader: asyncio.StreamReader) -> str:
    """Return the target of a GET; empty for anything else."""
    try:
        async with asyncio.timeout(_READ_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
    except (TimeoutError, OSError, EOFError, asyncio.LimitOverrunError):
        return ""
    method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    return rest.partition(" ")[0] if method == "GET" else ""
