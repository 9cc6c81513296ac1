"""The id of one request: on its error page, in its log lines, in its audit rows, in the ``X-Request-Id`` answer header.

Always ours. One that a caller sends is ignored: it would put the caller's text into logs and onto pages.
"""

import base64
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from doorward.model import Entropy

_KEY: Final = "doorward.request_id"
_BYTES: Final = 9
_CHARACTERS: Final = 12
_AT_ONCE: Final = 64


def assign(scope: MutableMapping[str, Any], entropy: Entropy) -> str:
    """Give the request of an ASGI scope its id (``req_`` and 12 base64url characters) and return it."""
    made = scope[_KEY] = "req_" + _written(entropy(_BYTES))
    return made


def of(scope: Mapping[str, Any]) -> str:
    """Return the id of a request (a scope, or a starlette ``Request``); ``req_none`` where nothing assigned one."""
    return str(scope.get(_KEY, "req_none"))


class RequestIds:
    """Ids for requests that have no scope, from randomness drawn for many at once: drawing is a system call."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._drawn: list[str] = []

    def new(self) -> str:
        """Return one."""
        if not self._drawn:
            # Nine bytes are twelve characters with nothing left over, so that all are written at once as well.
            text = _written(self._entropy(_BYTES * _AT_ONCE))
            self._drawn = [text[at : at + _CHARACTERS] for at in range(0, len(text), _CHARACTERS)]
        return "req_" + self._drawn.pop()


def _written(random: bytes) -> str:
    return base64.urlsafe_b64encode(random).decode("ascii")
