"""Asking authorization servers of others: JSON only, through the guarded fetcher, believed only as far as it is read.

What an answer says in words is neither told nor logged: an error description may hold whatever was sent (I2).
"""

import base64
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import structlog

from doorward.protocol import faults, jsonrpc
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.faults import Fault
from doorward.protocol.outbound.client import OwnClient, shown
from doorward.protocol.outbound.protected_resource import Asked, challenge_of
from doorward.web.fetch import Fetcher, TooManyFetches
from doorward.web.https_get import Failure, FetchFailed

MAX_BYTES: Final = 64 * 1024
_JSON: Final = {"Accept": "application/json"}
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_ANSWERED: Final = frozenset({HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_REGISTERED: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED})
_HELLO: Final = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    b'"clientInfo":{"name":"doorward","version":"1"}}}'
)
_HELLO_HEADERS: Final = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
_ANY: Final = frozenset({HTTPStatus.UNAUTHORIZED, *_ANSWERED, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})

_log = structlog.get_logger("doorward.gateway")


class Elsewhere(Exception):  # noqa: N818  (what happened)
    """The other side did not do its part. ``fault`` is public, ``reason`` private; ``later``: it may, another time."""

    def __init__(self, fault: Fault, reason: str, *, later: bool = False) -> None:
        super().__init__(reason)
        self.fault = fault
        self.reason = reason
        self.later = later


class Asking:
    """``asker`` is on whose account something is fetched: a person's id, or what counts as one."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def document(self, url: str, *, asker: str) -> Mapping[str, Any] | None:
        """Return the JSON object at ``url``; None where there is none. Raises ``Elsewhere`` where it may be later."""
        try:
            found = await self._fetcher.get(url, asker=asker, headers=_JSON, limit=MAX_BYTES)
            return _object(found.body)
        except FetchFailed as failed:
            if failed.kind is Failure.ANSWER:
                return None
            raise Elsewhere(faults.LINK_DISCOVERY, failed.reason, later=True) from failed
        except TooManyFetches as full:
            raise Elsewhere(faults.LINK_TOO_OFTEN, str(full), later=True) from full
        except JsonRpcError:
            return None

    async def challenge(self, upstream: str, *, asker: str) -> Asked:
        """Return what an MCP server answers to somebody without a credential; nothing where it cannot be had."""
        try:
            found = await self._fetcher.get(
                upstream, asker=asker, headers=_HELLO_HEADERS, limit=MAX_BYTES, body=_HELLO, statuses=_ANY
            )
        except (FetchFailed, TooManyFetches) as failed:
            _log.info("no challenge", upstream=upstream, reason=str(failed))
            return Asked()
        refused = found.status == HTTPStatus.UNAUTHORIZED
        return challenge_of(found.headers.get("www-authenticate", "")) if refused else Asked()

    async def register(self, url: str, members: Mapping[str, Any], *, asker: str) -> Mapping[str, Any]:
        """Return the answer to a registration. Raises ``Elsewhere``."""
        headers = {**_JSON, "Content-Type": "application/json"}
        try:
            body = jsonrpc.encode(dict(members))
            found = await self._fetcher.get(
                url, asker=asker, headers=headers, limit=MAX_BYTES, body=body, statuses=_REGISTERED
            )
            return _object(found.body)
        except (FetchFailed, TooManyFetches, JsonRpcError) as failed:
            raise Elsewhere(faults.LINK_NO_CLIENT, f"registration: {_why(failed)}") from failed

    async def form(
        self, url: str, values: Mapping[str, str], client: OwnClient, *, asker: str, empty: bool = False
    ) -> tuple[int, Mapping[str, Any]]:
        """Send a form as ``client``; return the status and the members of the answer, an error's too.

        ``empty``: the answer may have no body (RFC 7009). Raises ``Elsewhere`` for whatever is no answer in JSON.
        """
        members, basic = shown(client)
        headers = {**_JSON, **_FORM, **({} if basic is None else {"Authorization": _basic(*basic)})}
        try:
            found = await self._fetcher.get(
                url, asker=asker, headers=headers, limit=MAX_BYTES, body=urlencode({**values, **members}).encode(),
                statuses=_ANSWERED,
            )  # fmt: skip
            return found.status, {} if empty and not found.body.strip() else _object(found.body)
        except (FetchFailed, TooManyFetches, JsonRpcError) as failed:
            raise Elsewhere(faults.LINK_TOKEN, f"{url}: {_why(failed)}", later=True) from failed


def _object(body: bytes) -> dict[str, Any]:
    return jsonrpc.decode_object(body)


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def _why(failed: Exception) -> str:
    # What could not be read is not quoted: it may be what was sent.
    return "answer is no JSON object" if isinstance(failed, JsonRpcError) else str(failed)
