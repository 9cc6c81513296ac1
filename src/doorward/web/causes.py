"""Which request something is done for, and where that came from: as audit rows tell it (F2)."""

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from doorward.model import Cause
from doorward.web import request_id
from doorward.web.requester import Requester

_KEY: Final = "doorward.requester"
_FORWARDED: Final = b"x-forwarded-for"
_NO_PROXIES: Final = Requester()


def know(scope: MutableMapping[str, Any], requester: Requester) -> None:
    """Let what handles the request of this ASGI scope tell where it came from; most requests are never asked."""
    scope[_KEY] = requester


def of(scope: Mapping[str, Any]) -> Cause:
    """Return the cause that a request is (a scope, or a starlette ``Request``)."""
    requester: Requester = scope.get(_KEY, _NO_PROXIES)
    peer = scope.get("client")
    forwarded = [value.decode("latin-1") for name, value in scope.get("headers", ()) if name == _FORWARDED]
    return Cause(request_id.of(scope), requester.told(peer[0] if peer else None, forwarded))
