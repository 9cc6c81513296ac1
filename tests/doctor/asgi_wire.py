"""The doctor's way to a program in this process."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from doorward.doctor.wire import Answer, Exchange, Network, Request

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


@dataclass
class AsgiWire:
    """Sends to an ASGI app. ``sent`` is everything that was."""

    app: Any
    reached: Network = field(default_factory=lambda: Network(addresses=("192.0.2.1",)))
    clock: float = 0.0
    sent: list[Exchange] = field(default_factory=list)

    async def send(self, request: Request) -> Exchange:
        transport = httpx2.ASGITransport(app=self.app, raise_app_exceptions=True)
        async with httpx2.AsyncClient(transport=transport, follow_redirects=False) as http:
            got = await http.request(
                request.method, request.url, headers=dict(request.headers), content=request.body or b""
            )
        answer = Answer(
            status=got.status_code, headers=tuple(got.headers.multi_items()), body=got.content, at=self.clock
        )
        self.sent.append(Exchange(request, answer))
        return self.sent[-1]

    async def network(self, _url: str, /) -> Network:
        return self.reached
