"""``python -m doorward.demo.harbour``: Harbour as a process of its own, on 127.0.0.1.

Prints one JSON line ``{"port": N}`` when it listens, and ``{"pushed": N}`` when Doorward knows the whole tree. The only
place in Harbour that reads the clock, the system's randomness and the command line.
"""

import argparse
import asyncio
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

import uvicorn
from typing_extensions import override

from doorward.demo.harbour.server import Harbour, harbour


class Server(uvicorn.Server):
    """Uvicorn that says when it listens."""

    def __init__(self, config: uvicorn.Config, port: int) -> None:
        super().__init__(config)
        self._port = port

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _say({"port": self._port})


def main() -> None:
    """Run until SIGINT, SIGTERM or, with ``--with-parent``, the end of standard input."""
    options = _options()
    listener = (
        socket.socket(fileno=options.fd)
        if options.fd is not None
        else socket.create_server(("127.0.0.1", options.port))
    )
    asyncio.run(_run(options, listener))


async def _run(options: argparse.Namespace, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    options.data.mkdir(parents=True, exist_ok=True)
    async with harbour(
        data=options.data, url=f"http://127.0.0.1:{port}", issuer=options.issuer, push=options.push,
        push_key_file=options.push_key_file, now=lambda: time.time_ns() // 1000, entropy=os.urandom,
    ) as running:  # fmt: skip
        config = uvicorn.Config(running.app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
        server = Server(config, port)
        if options.with_parent:
            threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
        pushing = asyncio.create_task(_push_all(running))
        await server.serve(sockets=[listener])
        pushing.cancel()


async def _push_all(running: Harbour) -> None:
    if running.pusher is not None:
        _say({"pushed": await running.pusher.publish_all(running.store)})


def _end_with_parent(server: uvicorn.Server) -> None:
    """Wait for the end of standard input: the pipe closes when the parent ends, however it ends."""
    sys.stdin.buffer.read()
    server.should_exit = True


def _say(message: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m doorward.demo.harbour", description="Harbour, an example product.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--fd", type=int, help="a listening socket to take over instead of --port")
    parser.add_argument("--data", type=Path, required=True, help="directory of its database")
    parser.add_argument("--issuer", required=True, help="origin that signs the identity tokens")
    parser.add_argument("--push", help="origin whose resource API is told of the tree")
    parser.add_argument("--push-key-file", type=Path, help="JSON file {tenant slug: API key} for --push")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input ends")
    return parser.parse_args()


if __name__ == "__main__":
    main()
