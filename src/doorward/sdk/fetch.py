"""Asking Doorward: short, bounded, never redirected, and over TLS unless it is this machine."""

import ipaddress
import json
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from pydantic import AnyHttpUrl, ConfigDict, TypeAdapter

from doorward.sdk.errors import UnavailableError

TIMEOUT_SECONDS: Final = 5.0
_EXACT: Final = TypeAdapter(AnyHttpUrl, config=ConfigDict(url_preserve_empty_path=True))
MAX_ANSWER: Final = 256 * 1024
"""Bytes."""


def new_client() -> httpx2.AsyncClient:
    """Return the client that is used where the author brings none: no proxies or credentials from the environment."""
    return httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False)


def origin(issuer: str) -> str:
    """Return ``issuer`` where it can be one: an https origin, or http on loopback. Raises ``ValueError``."""
    url = urlsplit(issuer)
    plain = url.scheme == "http" and _loopback(url.hostname or "")
    if (
        not (url.scheme == "https" or plain)
        or not url.hostname
        or url.path
        or url.query
        or url.fragment
        or url.username
    ):
        raise ValueError(
            f"{issuer!r} is no issuer: write an https origin without a path, like https://auth.example.com"
        )
    return issuer


def as_url(text: str) -> AnyHttpUrl:
    """Return a URL that is written as it was given: an issuer is compared byte for byte (RFC 8414 section 3.3)."""
    return _EXACT.validate_python(text)


async def json_object(http: httpx2.AsyncClient, method: str, url: str, **request: Any) -> dict[str, Any]:
    """Return the JSON object at ``url``. Raises ``UnavailableError`` for any other answer, and for none."""
    try:
        async with http.stream(method, url, follow_redirects=False, **request) as answer:
            if answer.status_code != httpx2.codes.OK:
                raise UnavailableError(f"{url} answered {answer.status_code}")
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise UnavailableError(f"{url} answered more than {MAX_ANSWER} bytes")
        found = json.loads(body)
    except (httpx2.HTTPError, ValueError, RecursionError) as failure:
        raise UnavailableError(f"{url} could not be read: {type(failure).__name__}") from failure
    if not isinstance(found, dict):
        raise UnavailableError(f"{url} answered no JSON object")
    return found


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
