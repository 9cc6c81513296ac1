"""The cookies of the pages, with the names and attributes of decision 0077.5.

``…session`` is the signed-in session's secret; ``…browser`` names the browser that an authorization request is bound
to; ``…known`` says who has signed in from here, so that strangers who guess at their password do not slow them. Over https all carry the ``__Host-`` prefix, so that no sibling host can set or overwrite them (case H2).
"""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_BROWSER_ID: Final = re.compile(r"[A-Za-z0-9_-]{16,128}")
BROWSER_SECONDS: Final = 365 * 86_400
MAX_KNOWN: Final = 4


class Cookies:
    """Reads and writes them. ``secure`` is true where the public URL is https."""

    def __init__(self, *, secure: bool) -> None:
        self._secure = secure
        prefix = "__Host-" if secure else ""
        self.session_name = f"{prefix}doorward_session"
        self.browser_name = f"{prefix}doorward_browser"
        self.known_name = f"{prefix}doorward_known"

    def session(self, request: Request) -> str | None:
        """Return the text of the session cookie, or None."""
        return _read(request, self.session_name)

    def set_session(self, response: Response, text: str, *, max_age: int) -> None:
        """Hand the browser a session for ``max_age`` seconds."""
        self._set(response, self.session_name, text, max_age)

    def clear_session(self, response: Response) -> None:
        """Take the session from the browser."""
        self._set(response, self.session_name, "", 0)

    def browser_id(self, request: Request) -> str | None:
        """Return the browser's id, or None where it has none of our form."""
        text = _read(request, self.browser_name)
        return text if text is not None and _BROWSER_ID.fullmatch(text) else None

    def set_browser_id(self, response: Response, text: str) -> None:
        """Name the browser. ``text`` is unguessable: 16 to 128 base64url characters."""
        self._set(response, self.browser_name, text, BROWSER_SECONDS)

    def known_accounts(self, request: Request) -> list[str]:
        """Return the marks of the people who have signed in from this browser, latest first."""
        return [mark for mark in (_read(request, self.known_name) or "").split(".") if mark][:MAX_KNOWN]

    def add_known_account(self, request: Request, response: Response, mark: str) -> None:
        """Remember somebody who has just signed in."""
        others = [known for known in self.known_accounts(request) if known != mark]
        self._set(response, self.known_name, ".".join([mark, *others][:MAX_KNOWN]), BROWSER_SECONDS)

    def _set(self, response: Response, name: str, value: str, max_age: int) -> None:
        response.set_cookie(name, value, max_age=max_age, path="/", secure=self._secure, httponly=True, samesite="lax")


def _read(request: Request, name: str) -> str | None:
    """Return the one value of a cookie. Two different ones mean that somebody else set one: then there is none."""
    values = set()
    for header in request.headers.getlist("cookie"):
        for part in header.split(";"):
            key, equals, value = part.strip().partition("=")
            if equals and key == name:
                values.add(value)
    return values.pop() if len(values) == 1 else None
