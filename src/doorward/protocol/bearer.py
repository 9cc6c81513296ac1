"""Read an Authorization header, write a WWW-Authenticate challenge (RFC 6750; RFC 9728 section 5.1)."""

import re
from collections.abc import Iterable, Sequence

from doorward.protocol import faults
from doorward.protocol import scope as scopes
from doorward.protocol.errors import BearerError

MAX_TOKEN = 8 * 1024
"""Bytes. Nothing longer is parsed (security J10; CVE-2025-61920)."""

_HEADER = re.compile(rb"bearer(?: +([A-Za-z0-9\-._~+/]+=*))? *", re.IGNORECASE)
_SCHEME = re.compile(rb"bearer(?: |$)", re.IGNORECASE)
_UNQUOTABLE = re.compile(r'[^\x20-\x7e]|["\\]')


def read(values: Sequence[bytes]) -> str | None:
    """Return the one token presented, or None where there is none (no header, or ``Bearer`` and nothing after it).

    ``values`` are the values of all Authorization headers. Raises ``BearerError``: 400 ``invalid_request`` for two
    headers (RFC 6750 section 3.1), 401 ``invalid_token`` for another scheme, bad characters or an over-long token.
    """
    if not values:
        return None
    if len(values) > 1:
        raise BearerError(
            faults.CREDENTIAL_REPEATED, reason=f"{len(values)} headers", status=400, error="invalid_request"
        )
    value = values[0].strip(b" \t")
    if not value:
        return None
    if len(value) > MAX_TOKEN:
        raise BearerError(faults.CREDENTIAL_MALFORMED, reason=f"{len(value)} bytes")
    found = _HEADER.fullmatch(value)
    if found is None:
        known = _SCHEME.match(value) is not None
        fault = faults.CREDENTIAL_MALFORMED if known else faults.CREDENTIAL_SCHEME
        raise BearerError(fault, reason="characters outside b64token" if known else "another scheme than Bearer")
    token = found[1]
    return None if token is None else token.decode("ascii")


def challenge(
    *,
    resource_metadata: str | None,
    scope: Iterable[str] | None = None,
    error: str | None = None,
    description: str | None = None,
) -> str:
    """Return the value of a WWW-Authenticate header.

    Without credentials there is no ``error`` (RFC 6750 section 3.1). Values are quoted; characters that a
    quoted-string cannot carry plainly are left out, so that none can end it or split the header (L12).
    """
    parameters = {
        "error": error,
        "error_description": description,
        "scope": None if scope is None else scopes.join(scope) or None,
        "resource_metadata": resource_metadata,
    }
    quoted = (f'{name}="{_UNQUOTABLE.sub("", value)}"' for name, value in parameters.items() if value is not None)
    return ("Bearer " + ", ".join(quoted)).rstrip()
