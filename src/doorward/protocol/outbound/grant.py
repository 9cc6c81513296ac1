"""The authorization code grant and the refresh grant, from the client's side (OAuth 2.1 section 4; RFC 8707; RFC 9207)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from doorward.protocol.outbound.authorization_server import AuthorizationServer
from doorward.protocol.outbound.reading import scopes_in, text_in
from doorward.protocol.pkce import METHOD, challenge_of
from doorward.protocol.scope import OFFLINE_ACCESS

MAX_TOKEN: Final = 16 * 1024
MAX_LIFETIME: Final = 365 * 86_400
"""Seconds; what is good for longer is asked for again then."""
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
"""It stands in a header: no line break, no space, nothing else that would make it two."""
_ERROR: Final = re.compile(r"[a-z_]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What a token endpoint gave."""

    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    """'' where none came: at a refresh the former one stays good (RFC 6749 section 6)."""
    expires_in: int | None
    """Seconds; None where it does not say."""
    scopes: tuple[str, ...] | None = None
    """None where they are those that were asked for (RFC 6749 section 5.1)."""


def scopes_to_ask(
    declared: tuple[str, ...], challenged: tuple[str, ...], supported: tuple[str, ...], server: AuthorizationServer
) -> tuple[str, ...]:
    """Return the scopes to ask for: the operator's, else those of the 401, else those of the resource's metadata.

    ``offline_access`` where the server lists it, for that is how it is asked for refresh tokens.
    """
    chosen = declared or challenged or supported
    more = (OFFLINE_ACCESS,) if OFFLINE_ACCESS in server.scopes and chosen else ()
    return tuple(dict.fromkeys((*chosen, *more)))


def authorization_url(  # noqa: PLR0913  (a request has that many parameters)
    server: AuthorizationServer, *, client_id: str, redirect_uri: str, resource: str, scopes: Iterable[str], state: str,
    verifier: str,
) -> str:  # fmt: skip
    """Return where the browser is sent."""
    asked = " ".join(scopes)
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": METHOD,
        "resource": resource,
        **({"scope": asked} if asked else {}),
        # OpenID Connect Core section 11: without it a server must leave offline_access out.
        **({"prompt": "consent"} if OFFLINE_ACCESS in asked.split() else {}),
    }
    joint = "&" if "?" in server.authorization_endpoint else "?"
    return server.authorization_endpoint + joint + urlencode(query)


def iss_ok(issuer: str, iss: str | None, *, says_iss: bool) -> bool:
    """Say whether an answer comes from the server that was asked (RFC 9207 section 2.4): compared as it is written.

    ``says_iss``: its metadata promises to name itself, so an answer without a name is not its own.
    """
    return iss == issuer if iss is not None else not says_iss


def code_form(*, code: str, redirect_uri: str, verifier: str, resource: str) -> dict[str, str]:
    """Return the form that redeems a code, without the client."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
        "resource": resource,
    }


def refresh_form(*, refresh_token: str, resource: str) -> dict[str, str]:
    """Return the form that refreshes, without the client. No scope: the same are meant (RFC 6749 section 6)."""
    return {"grant_type": "refresh_token", "refresh_token": refresh_token, "resource": resource}


def granted(members: Mapping[str, Any]) -> Granted:
    """Return what a successful answer gives. Raises ``ValueError`` for anything that is no bearer token to send."""
    kind, access, refresh = members.get("token_type"), members.get("access_token"), members.get("refresh_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ValueError("no bearer token")
    if not _token_ok(access) or not (refresh is None or refresh == "" or _token_ok(refresh)):
        raise ValueError("a token that cannot be sent")
    scope = members.get("scope")
    return Granted(
        access_token=str(access),
        refresh_token=str(refresh or ""),
        expires_in=_seconds(members.get("expires_in")),
        scopes=scopes_in(scope) if isinstance(scope, str) and scope else None,
    )


def error_in(members: Mapping[str, Any]) -> str:
    """Return the error code of an answer ('' where it has none of its form): its other words are nobody's to believe."""
    error = text_in(members, "error")
    return error if _ERROR.fullmatch(error) else ""


def _token_ok(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TOKEN and _TOKEN.fullmatch(value) is not None


def _seconds(value: object) -> int | None:
    # Some write it as text.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(MAX_LIFETIME)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return min(int(value), MAX_LIFETIME)
