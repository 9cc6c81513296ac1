"""The ``scope`` parameter (RFC 6749 section 3.3) and how a request is narrowed to what exists."""

import re
from collections.abc import Collection, Iterable

from doorward.protocol.errors import OAuthError
from doorward.protocol.faults import SCOPE_INVALID

OFFLINE_ACCESS = "offline_access"
OPENID, PROFILE, EMAIL = "openid", "profile", "email"
IDENTITY_SCOPES = (OPENID, PROFILE, EMAIL)
"""What a client may be told of a person (OpenID Connect Core sections 3.1.2.1 and 5.4)."""
OIDC_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", OFFLINE_ACCESS})
"""Scopes that ask for no permission (OpenID Connect Core sections 5.4 and 11). Clients send them unasked."""

MAX_SCOPES = 200
MAX_LENGTH = 8192

_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


def parse(text: str) -> tuple[str, ...]:
    """Return the scopes in the order asked, each once.

    Raises ``OAuthError`` ``invalid_scope`` for characters outside the grammar, more than ``MAX_SCOPES`` scopes or more
    than ``MAX_LENGTH`` characters.
    """
    if len(text) > MAX_LENGTH:
        raise _invalid(f"{len(text)} characters")
    scopes = tuple(dict.fromkeys(filter(None, text.split(" "))))
    if len(scopes) > MAX_SCOPES:
        raise _invalid(f"{len(scopes)} scopes")
    for scope in scopes:
        if _TOKEN.fullmatch(scope) is None:
            raise _invalid(f"scope {scope[:64]!r} is outside the grammar")
    return scopes


def narrow(asked: Iterable[str] | None, permitted: Collection[str]) -> tuple[str, ...] | None:
    """Keep what is permitted, in the order asked; unknown and OIDC scopes are dropped, not refused (decision 0077.7).

    Returns None where no permission was asked for (no scope at all, or OIDC scopes only, as several clients send):
    the deployment's default set applies. Returns ``()`` where only unknown scopes were asked for: nothing is left, and
    the caller answers ``invalid_scope``.
    """
    wanted = () if asked is None else tuple(asked)
    kept = tuple(scope for scope in wanted if scope in permitted)
    return kept if kept or set(wanted) - OIDC_SCOPES else None


def identity(asked: Iterable[str] | None) -> tuple[str, ...]:
    """Return what was asked of the person's identity. Nothing without ``openid``: then it is no OpenID request."""
    wanted = () if asked is None else tuple(asked)
    return tuple(each for each in IDENTITY_SCOPES if each in wanted) if OPENID in wanted else ()


def join(scopes: Iterable[str]) -> str:
    """Return the parameter's text, sorted, so that equal sets look equal."""
    return " ".join(sorted(set(scopes)))


def _invalid(reason: str) -> OAuthError:
    return OAuthError(SCOPE_INVALID, "invalid_scope", reason=reason)
