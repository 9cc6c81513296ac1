"""TLS in front of a server on loopback, under the name that the tests' own authority vouches for."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

from support.https_server import HOST, PORTS, authority, trust


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, asyncio.CancelledError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@contextmanager
def tls_front(upstream: int) -> Iterator[str]:
    """Serve what listens on the loopback port ``upstream``; yields the https origin."""
    port: Future[int] = Future()
    over: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", upstream)
        except OSError:
            writer.close()
            return
        with suppress(asyncio.CancelledError):
            await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer), return_exceptions=True)

    async def serve() -> None:
        ended = asyncio.Event()
        over.set_result((asyncio.get_running_loop(), ended))
        for candidate in PORTS:
            with suppress(OSError):
                async with await asyncio.start_server(one, "127.0.0.1", candidate, ssl=trust(HOST)[0]):
                    port.set_result(candidate)
                    await ended.wait()
                    return

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        yield f"https://{HOST}:{port.result(10)}"
    finally:
        loop, ended = over.result(10)
        loop.call_soon_threadsafe(ended.set)
        thread.join(5)


def authority_file(folder: Path) -> dict[str, str]:
    """Return what a process has to have in its environment to trust the front."""
    path = folder / "authority.pem"
    path.write_text(authority(), encoding="ascii")
    return {"SSL_CERT_FILE": str(path)}
