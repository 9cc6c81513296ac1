"""Reading requests of the management API: one bearer key and where it came from, a capped body, strict JSON."""

import json
import math
from http import HTTPStatus
from typing import Any, Final, NoReturn

from starlette.requests import Request

from doorward.api.problems import Problem
from doorward.protocol import faults

BODY_LIMIT: Final = 4 * 1024 * 1024
"""Bytes."""


class Presented(str):
    """A bearer credential, and where it came from: a key may be good from some addresses only.

    Any other text came from nowhere that is known, and such a key is refused with it.
    """

    __slots__ = ("agent", "forwarded", "noted", "peer")

    peer: str | None
    """The connection's address."""
    forwarded: tuple[str, ...]
    """What ``X-Forwarded-For`` says."""
    agent: str | None
    noted: bool
    """Whether its use has been noted: a request looks at it more than once."""


def bearer(request: Request) -> Presented:
    """Return the one bearer credential of a request. Raises ``Problem`` (401) where there is none (RFC 6750)."""
    values = request.headers.getlist("authorization")
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem(
            HTTPStatus.UNAUTHORIZED, "Send an API key: Authorization: Bearer KEY.", fault=faults.API_CREDENTIAL_NEEDED,
            headers={"WWW-Authenticate": 'Bearer realm="api"'},
        )  # fmt: skip
    presented = Presented(token.strip())
    presented.peer = None if request.client is None else request.client.host
    presented.forwarded = tuple(request.headers.getlist("x-forwarded-for"))
    presented.agent = request.headers.get("user-agent")
    presented.noted = False
    return presented


def require_json(request: Request) -> None:
    """Raise ``Problem`` (415) unless the body is said to be JSON: no form of another site is (M5)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json.", fault=faults.API_NOT_AS_DESCRIBED
        )


async def read_body(request: Request) -> bytes:
    """Return the body. Raises ``Problem`` (413) above ``BODY_LIMIT``."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > BODY_LIMIT:  # noqa: PLR2004
        _too_large()
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT:
            _too_large()
        parts.append(part)
    return b"".join(parts)


def _too_large() -> NoReturn:
    raise Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {BODY_LIMIT} bytes.",
        fault=faults.API_NOT_AS_DESCRIBED,
    )  # fmt: skip


def decode(body: bytes) -> Any:
    """Return a decoded body. Raises ``Problem`` (400) for what is not strict JSON."""
    try:
        return json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant, parse_float=_number
        )
    except (ValueError, RecursionError) as wrong:
        # The text of a decode error quotes the body; only our own words may be shown.
        detail = str(wrong) if isinstance(wrong, _NotStrictError) else "The body is not JSON in UTF-8."
        raise Problem(HTTPStatus.BAD_REQUEST, detail, fault=faults.API_NOT_AS_DESCRIBED) from wrong


class _NotStrictError(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # Two readers may take different ones of two equal keys.
        raise _NotStrictError("The body repeats a member of an object.")
    return members


def _number(text: str) -> float:
    """Return a number; a whole one as such, however it is written: JSON Schema tells 3.0 and 3e0 from 3 no more."""
    value = float(text)
    if math.isinf(value):
        raise _NotStrictError("The body holds a number that is too large.")
    return int(value) if value.is_integer() else value


def _constant(name: str) -> NoReturn:
    raise _NotStrictError(f"The body holds {name}, which is not JSON.")
