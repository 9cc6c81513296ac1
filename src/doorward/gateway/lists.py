"""Narrowed lists, kept for callers who see the same of the same list: narrowing 50 tools costs as much as five calls."""

from typing import Any, Final

from doorward.gateway.call import Call
from doorward.gateway.own_tools import own_names
from doorward.gateway.seen import Shown
from doorward.protocol import mcp
from doorward.protocol.jsonrpc import encode

MAX_LISTS: Final = 512
MAX_BYTES: Final = 256 * 1024


class ListCache:
    """The upstream's bytes decide: they are compared whole, so nothing is served that it did not just send."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], tuple[bytes, bytes, Shown | None]] = {}

    def get(self, call: Call, body: bytes) -> bytes | None:
        """Return the client's answer for an upstream's answer that was narrowed before; note what it shows."""
        known = self._known.get(_key(call))
        rest = _after_id(call, body)
        if known is None or rest is None or known[0] != rest:
            return None
        if known[2] is not None:
            call.view.seen.note(*known[2])
        return response(call.ask.id, known[1])

    def put(self, call: Call, body: bytes, result: bytes, shown: Shown | None) -> None:
        """Keep ``result`` for the upstream's ``body``, which was checked to answer this call and shows ``shown``."""
        rest = _after_id(call, body)
        if rest is None or len(body) > MAX_BYTES:
            return
        if len(self._known) >= MAX_LISTS:
            self._known.pop(next(iter(self._known)))
        self._known[_key(call)] = (rest, result, shown)


def response(request_id: str | int | None, result: bytes) -> bytes:
    """Return a JSON-RPC response around an encoded result."""
    return b'{"jsonrpc":"2.0","id":' + encode(request_id) + b',"result":' + result + b"}"


def _key(call: Call) -> tuple[Any, ...]:
    # What narrowing depends on: what is seen (with the revisions of rights, rules and tree), form, page.
    shown = own_names(call.view.governed)
    cursor = call.ask.cursor if isinstance(call.ask, mcp.Listing) else None
    return call.caller.visibility, call.server.id, type(call.ask), call.ask.era, shown, cursor


def _after_id(call: Call, body: bytes) -> bytes | None:
    """Return what follows the id, where the answer begins in the usual way with the id that was asked with."""
    prefix = b'{"jsonrpc":"2.0","id":' + encode(call.sent_id) + b","
    return body[len(prefix) :] if body.startswith(prefix) else None
