"""Answers and request methods that several endpoints share."""

from typing import Final

from starlette.responses import Response

ALL_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Answered by ourselves, so that a wrong method gets the answer that belongs to the path."""
POST: Final = ("POST",)
GET: Final = ("GET", "HEAD")
NO_STORE: Final = {"Cache-Control": "no-store"}


def see_other(location: str) -> Response:
    """Send a browser on."""
    # 303 and never 307: a browser must not send the form, with what it holds, to the next address (A33).
    return Response(status_code=303, headers={"Location": location, **NO_STORE})
