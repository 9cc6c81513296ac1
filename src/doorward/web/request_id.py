"""The id of one request: on its error page, in its log lines, in its audit rows, in the ``X-Request-Id`` answer header.

Always ours. One that a caller sends is ignored: it would put the caller's text into logs and onto pages.
"""

import base64
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from doorward.model import Entropy

_KEY: Final = "doorward.request_id"
_BYTES: Final = 9


def assign(scope: MutableMapping[str, Any], entropy: Entropy) -> str:
    """Give the request of an ASGI scope its id (``req_`` and 12 base64url characters) and return it."""
    made = scope[_KEY] = new(entropy)
    return made


def new(entropy: Entropy) -> str:
    """Return an id for a request that has no scope."""
    return "req_" + base64.urlsafe_b64encode(entropy(_BYTES)).decode("ascii")


def of(scope: Mapping[str, Any]) -> str:
    """Return the id of a request (a scope, or a starlette ``Request``); ``req_none`` where nothing assigned one."""
    return str(scope.get(_KEY, "req_none"))
