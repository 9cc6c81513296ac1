"""Asking the machine's own name servers for TXT records: one question, few bytes, a few seconds.

Only servers that the operator's machine uses are asked, never one that somebody names. The answer must come from there
and be about this question (``protocol.dns_text``).
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from typing_extensions import override

from doorward.model import Entropy
from doorward.protocol import dns_text

SECONDS: Final = 2.0
MAX_SERVERS: Final = 3

NameServers = Callable[[], Sequence[tuple[str, int]]]
"""Returns addresses and ports, the first to ask first."""


class Unanswered(Exception):  # noqa: N818  (a state)
    """Nothing can be said about the record. The message is for an operator."""


class TextLookup:
    """Looks up. Holds nothing between two questions."""

    def __init__(self, *, servers: NameServers, entropy: Entropy, seconds: float = SECONDS) -> None:
        self._servers, self._entropy, self._seconds = servers, entropy, seconds

    async def texts(self, name: str) -> list[str]:
        """Return the texts at ``name``; none where there is no such record. Raises ``Unanswered``."""
        reasons = ["no name server is known"]
        for server in list(self._servers())[:MAX_SERVERS]:
            number = int.from_bytes(self._entropy(2))
            try:
                return await self._ask(server, name, number)
            except (OSError, TimeoutError, ValueError) as wrong:
                reasons.append(f"{server[0]}: {str(wrong) or 'no answer in time'}")
        raise Unanswered(reasons[-1])

    async def _ask(self, server: tuple[str, int], name: str, number: int) -> list[str]:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[bytes] = loop.create_future()
        # A connected socket: the system drops what comes from anywhere else.
        transport, _ = await loop.create_datagram_endpoint(lambda: _Waiting(answered), remote_addr=server)
        try:
            transport.sendto(dns_text.question(name, number))
            async with asyncio.timeout(self._seconds):
                return dns_text.texts(await answered, name, number)
        finally:
            transport.close()


class _Waiting(asyncio.DatagramProtocol):
    def __init__(self, answered: asyncio.Future[bytes]) -> None:
        self._answered = answered

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self._answered.done():
            self._answered.set_result(data)

    @override
    def error_received(self, exc: Exception) -> None:
        if not self._answered.done():
            self._answered.set_exception(exc)
