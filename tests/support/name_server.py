"""A name server on loopback that says what a test wants, and counts the questions."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from typing_extensions import override

IP = "127.0.0.1"


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """``records`` by name; ``code`` and ``silent`` for when nothing is said. ``asked`` are the names."""

    records: dict[str, list[str]] = field(default_factory=dict)
    code: int = 0
    silent: bool = False
    port: int = 0
    asked: list[str] = field(default_factory=list)

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        name, end = name_in(data)
        self.asked.append(name)
        if not self.silent:
            self.transport.sendto(answer(data, data[12:end], self.records.get(name, []), self.code), addr)

    def servers(self) -> list[tuple[str, int]]:
        return [(IP, self.port)]


def name_in(query: bytes) -> tuple[str, int]:
    """Return the name that a query is about, and where its question ends."""
    labels, place = [], 12
    while query[place]:
        labels.append(query[place + 1 : place + 1 + query[place]].decode())
        place += 1 + query[place]
    return ".".join(labels), place + 5


def answer(query: bytes, question: bytes, texts: list[str], code: int = 0, *, flags: int = 0x8180) -> bytes:
    """Return the answer to a query: each text a record that points back to the name of the question."""
    head = query[:2] + struct.pack("!HHHHH", flags | code, 1, len(texts), 0, 0)
    parts = (text.encode() for text in texts)
    pieces = [
        b"".join(bytes([len(part[i : i + 255])]) + part[i : i + 255] for i in range(0, len(part), 255))
        for part in parts
    ]
    records = [b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 60, len(piece)) + piece for piece in pieces]
    return head + question + b"".join(records)


@asynccontextmanager
async def name_server() -> AsyncIterator[NameServer]:
    """Serve on a free port."""
    loop = asyncio.get_running_loop()
    transport, serving = await loop.create_datagram_endpoint(NameServer, local_addr=(IP, 0))
    try:
        yield serving
    finally:
        transport.close()
