"""Errors of the management API: ``application/problem+json`` (RFC 9457)."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import Response


class Problem(Exception):  # noqa: N818  (RFC 9457 calls it so)
    """An answer other than success. ``detail`` is public; ``errors`` are (JSON pointer, what is wrong there)."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}

    def response(self) -> Response:
        """Return it as a response. ``type`` is ``about:blank``: the status says what kind it is (section 4.2.1)."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [{"pointer": pointer, "detail": detail} for pointer, detail in self.errors]
        return Response(
            json.dumps(body),
            status_code=self.status.value,
            media_type="application/problem+json",
            headers={"Cache-Control": "no-store", **self.headers},
        )
