"""``POST /api/leaks``: a scanner reports keys that it found where others can read them (feature C3, security I14).

The body is ``{"keys": [text…], "where": text}``. ``Doorward-Signature: t=SECONDS,v1=HEX`` holds the time and HMAC-SHA-256
over ``SECONDS.BODY`` with a secret that both sides know. The answer is the same for keys that were good, ended or never
ours, so a report is no way to try keys out; the same report again finds nothing more to end.
"""

import hmac
import re
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorward.accounts import leaked_keys
from doorward.accounts.leaked_keys import MOST
from doorward.api.frame import answering
from doorward.api.problems import Problem
from doorward.api.requests import decode, read_body
from doorward.credentials.secret import Fingerprinter
from doorward.mail.outbox import Outbox
from doorward.model import SECOND, Fingerprint, Instant
from doorward.protocol import faults
from doorward.storage.database import Database
from doorward.web import causes, request_id

PATH: Final = "/api/leaks"
HEADER: Final = "doorward-signature"
FRESH: Final = 300
"""Seconds that a signature is good for, to both sides of our clock."""
MAX_TEXT: Final = 1000
_SIGNATURE: Final = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")

_log = structlog.get_logger("doorward.leaks")


class LeaksApi:
    """The surface. ``secrets`` are those that a report may be signed with; with none there is no such address."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        database: Database,
        secrets: Sequence[bytes],
        fingerprinter: Fingerprinter,
        prefix: str,
        outbox: Outbox,
        public_url: str,
        now: Callable[[], Instant],
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._fingerprinter = fingerprinter
        self._prefix = prefix
        self._outbox = outbox
        self._public_url = public_url
        self._now = now

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(PATH, answering(self._answer), methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        count = await self._reported(request)
        return JSONResponse({"received": count}, status_code=HTTPStatus.ACCEPTED, headers={"Cache-Control": "no-store"})

    async def _reported(self, request: Request) -> int:
        if not self._secrets:
            raise Problem(HTTPStatus.NOT_FOUND, "Reports of leaked keys are not taken here.")
        body, now = await read_body(request), self._now()
        if not self._signed(request.headers.getlist(HEADER), body, now):
            raise Problem(
                HTTPStatus.UNAUTHORIZED, faults.LEAK_UNSIGNED.cause, fault=faults.LEAK_UNSIGNED,
                headers={"WWW-Authenticate": "Doorward-Signature"},
            )  # fmt: skip
        keys, where = parse(decode(body))
        work = partial(
            leaked_keys.report, texts=keys, where=where, fingerprinter=self._fingerprinter, prefix=self._prefix,
            outbox=self._outbox, public_url=self._public_url, now=now, cause=causes.of(request),
        )  # fmt: skip
        ended = await self._database.write(work)
        _log.info("leak report", keys=len(keys), ended=ended, request_id=request_id.of(request))
        return len(keys)

    def _signed(self, values: Sequence[str], body: bytes, now: Instant) -> bool:
        given = _SIGNATURE.fullmatch(values[0]) if len(values) == 1 else None
        if given is None or abs(now // SECOND - int(given[1])) > FRESH:
            return False
        # Each is tried, so that the time says nothing of which one it was.
        right = [
            Fingerprinter.same(signature(secret, given[1], body), Fingerprint(given[2])) for secret in self._secrets
        ]
        return any(right)


def signature(secret: bytes, seconds: str, body: bytes) -> Fingerprint:
    """Return the hexadecimal HMAC of a report."""
    return Fingerprint(hmac.new(secret, seconds.encode() + b"." + body, sha256).hexdigest())


def parse(document: Any) -> tuple[list[str], str]:
    """Return the keys of a report and where they were found. Raises ``Problem`` (422)."""
    if not isinstance(document, dict) or document.keys() - {"keys", "where"}:
        raise _bad("", "must be an object with keys and where")
    keys, where = document.get("keys"), document.get("where", "")
    if not isinstance(keys, list) or not 1 <= len(keys) <= MOST:
        raise _bad("/keys", f"must be a list of 1 to {MOST} texts")
    if not all(isinstance(key, str) and len(key) <= MAX_TEXT for key in keys):
        raise _bad("/keys", f"must hold texts of at most {MAX_TEXT} characters")
    if not isinstance(where, str) or len(where) > MAX_TEXT:
        raise _bad("/where", f"must be a text of at most {MAX_TEXT} characters")
    return keys, where


def _bad(pointer: str, wrong: str) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, faults.LEAK_REPORT.cause, errors=[(pointer, wrong)], fault=faults.LEAK_REPORT
    )
