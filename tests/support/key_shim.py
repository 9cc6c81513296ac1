"""A loopback proxy that adds an API key to every request: the conformance suite cannot send a credential itself."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

HEAD_END = b"\r\n\r\n"


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@contextmanager
def key_shim(upstream: str, key: str) -> Iterator[str]:
    """Serve ``upstream`` on another port, with the key; yields the URL to use instead."""
    target = urlsplit(upstream)
    port: Future[int] = Future()
    over: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(HEAD_END)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        lines = [line for line in head[: -len(HEAD_END)].split(b"\r\n") if not line.lower().startswith(b"connection:")]
        lines += [b"Authorization: Bearer " + key.encode(), b"Connection: close"]
        up_reader, up_writer = await asyncio.open_connection(target.hostname, target.port)
        up_writer.write(b"\r\n".join(lines) + HEAD_END)
        # A handler that is cancelled at the end is logged as a failure by Python 3.11.
        with suppress(asyncio.CancelledError):
            await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer), return_exceptions=True)

    async def serve() -> None:
        ended = asyncio.Event()
        over.set_result((asyncio.get_running_loop(), ended))
        async with await asyncio.start_server(one, "127.0.0.1", 0) as server:
            port.set_result(server.sockets[0].getsockname()[1])
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port.result(10)}{target.path}"
    finally:
        loop, ended = over.result(10)
        loop.call_soon_threadsafe(ended.set)
        thread.join(5)
