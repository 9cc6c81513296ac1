"""What somebody writes down of a server that they want to add, and what is wrong with it. Pure."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from doorward.model import AuthKind
from doorward.protocol.endpoints import own_name_ok
from doorward.provisioning.names import title_ok, upstream_ok
from doorward.provisioning.parse_auth import credential_header_ok

MAX_URL: Final = 2000
MAX_SECRET: Final = 4000
_PORTS: Final = {"http": 80, "https": 443}
_FIRST_FREE: Final = 1024


class Invalid(Exception):  # noqa: N818  (an answer)
    """``field`` of the wish is wrong. The message is for whoever filled it in, and quotes no secret."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """``auth`` None is the identity token. ``secret`` '' leaves the one that is kept."""

    name: str = ""
    """In its path and slug; stays for life."""
    title: str = ""
    url: str = ""
    auth: AuthKind | None = None
    header: str = ""
    secret: str = field(default="", repr=False)


def checked(wish: Wish, *, new: bool) -> None:
    """Look at each field by itself. Raises ``Invalid``."""
    if new and not own_name_ok(wish.name):
        raise Invalid("name", "Use a-z, 0-9 and -, a letter first, at most 31")
    if not title_ok(wish.title):
        raise Invalid("title", "Write a title of 1 to 128 characters that can be seen")
    _check_url(wish)
    if wish.auth is AuthKind.HEADER and not credential_header_ok(wish.header.strip().lower()):
        raise Invalid("header", "Write the name of a header for a credential, like x-api-key")
    if wish.auth in {AuthKind.BEARER, AuthKind.HEADER}:
        if new and not wish.secret:
            raise Invalid("secret", "Type the credential that the server asks for")
        if len(wish.secret) > MAX_SECRET or not (wish.secret.isascii() and wish.secret.isprintable()):
            raise Invalid("secret", f"A credential is one line of at most {MAX_SECRET} plain characters")


def _check_url(wish: Wish) -> None:
    if len(wish.url) > MAX_URL or not upstream_ok(wish.url):
        raise Invalid("url", "Write an http or https address without credentials, like https://wiki.example.com/mcp")
    parts = urlsplit(wish.url)
    port = parts.port or _PORTS[parts.scheme]
    if port < _FIRST_FREE and port not in _PORTS.values():
        raise Invalid("url", "Use port 443, or one from 1024 on: the others are for other things than the web")
    if wish.auth is AuthKind.OAUTH and parts.scheme != "https":
        raise Invalid("url", "People's own accounts need https: their tokens would travel in the clear")


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL that ``checked`` has let pass."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS[parts.scheme]
