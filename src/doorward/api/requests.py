"""Reading requests of the management API: one bearer key, a capped body, strict JSON."""

import json
from http import HTTPStatus
from typing import Any, Final, NoReturn

from starlette.requests import Request

from doorward.api.problems import Problem

BODY_LIMIT: Final = 4 * 1024 * 1024
"""Bytes."""


def bearer(request: Request) -> str:
    """Return the one bearer credential of a request. Raises ``Problem`` (401) where there is none (RFC 6750)."""
    values = request.headers.getlist("authorization")
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem(
            HTTPStatus.UNAUTHORIZED, "Send an API key: Authorization: Bearer KEY.",
            headers={"WWW-Authenticate": 'Bearer realm="api"'},
        )  # fmt: skip
    return token.strip()


async def read_json(request: Request) -> Any:
    """Return the decoded body. Raises ``Problem``: 415, 413 above ``BODY_LIMIT``, 400 for what is not strict JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json.")
    return _decode(await _body(request))


async def _body(request: Request) -> bytes:
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
    raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {BODY_LIMIT} bytes.")


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError) as wrong:
        # The text of a decode error quotes the body; only our own words may be shown.
        detail = str(wrong) if isinstance(wrong, _NotStrictError) else "The body is not JSON in UTF-8."
        raise Problem(HTTPStatus.BAD_REQUEST, detail) from wrong


class _NotStrictError(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # Two readers may take different ones of two equal keys.
        raise _NotStrictError("The body repeats a member of an object.")
    return members


def _constant(name: str) -> NoReturn:
    raise _NotStrictError(f"The body holds {name}, which is not JSON.")
