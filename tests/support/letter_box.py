"""The mail server of the tests beside a test that is not asynchronous, such as one that drives a browser."""

import asyncio
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from typing_extensions import override

from support.mail_server import MailServer, Taken, mail_server

PATIENCE = 60


class _Box(list[Taken]):
    """Tells whoever waits for the next letter."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: queue.Queue[Taken] = queue.Queue()

    @override
    def append(self, taken: Taken) -> None:
        super().append(taken)
        self.arrived.put(taken)


@dataclass
class LetterBox:
    """A port to send mail to, and the letters in the order in which they come."""

    port: int = 0
    box: _Box = field(default_factory=_Box)
    server: MailServer = field(default_factory=MailServer)
    """As whose answers it speaks."""

    def letter(self, to: str) -> Taken:
        """Wait for the next letter; it has to be to this address alone."""
        taken = self.box.arrived.get(timeout=PATIENCE)
        assert taken.recipients == [to], taken.recipients
        return taken


@contextmanager
def letter_box() -> Iterator[LetterBox]:
    """Yield a mail server that runs in a thread."""
    found, ready, loop = LetterBox(), threading.Event(), asyncio.new_event_loop()
    stopped: asyncio.Future[None] = loop.create_future()

    async def serve() -> None:
        async with mail_server() as server:
            server.taken = found.box
            found.port, found.server = server.port, server
            ready.set()
            await stopped

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(stopped.set_result, None)
        thread.join(PATIENCE)
        loop.close()
