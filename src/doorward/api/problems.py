"""Errors of the management API: ``application/problem+json`` (RFC 9457)."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from doorward.protocol import faults
from doorward.protocol.faults import Fault


class Problem(Exception):  # noqa: N818  (RFC 9457 calls it so)
    """An answer other than success. ``detail`` is public; ``errors`` are (JSON pointer, what is wrong there)."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        fault: Fault | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.fault = fault

    def response(self) -> Response:
        """Return it as a response. ``type`` is ``about:blank``: the status says what kind it is (section 4.2.1)."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
        }
        if self.fault is not None:
            # An extension member (section 3.2); the page of the code says cause and fix.
            body["code"] = self.fault.code
        if self.errors:
            body["errors"] = [{"pointer": pointer, "detail": detail} for pointer, detail in self.errors]
        return Response(
            json.dumps(body),
            status_code=self.status.value,
            media_type="application/problem+json",
            headers={"Cache-Control": "no-store", **self.headers},
        )


def unknown(detail: str) -> Problem:
    """Return the one answer for what is foreign and for what never was (decision 0077.8)."""
    return Problem(HTTPStatus.NOT_FOUND, detail, fault=faults.API_UNKNOWN)


def forbidden(detail: str, fault: Fault = faults.API_NOT_PERMITTED) -> Problem:
    """Return the answer to somebody who is known and may not."""
    return Problem(HTTPStatus.FORBIDDEN, detail, fault=fault)


def not_as_described(detail: str, errors: Sequence[tuple[str, str]] = ()) -> Problem:
    """Return the answer to what is not of the form that the route takes."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors, fault=faults.API_NOT_AS_DESCRIBED)


def not_ready() -> Problem:
    """Return the answer while the data cannot be reached."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "The data cannot be reached. Try again.", fault=faults.STORAGE_UNAVAILABLE,
        headers={"Retry-After": "1"},
    )  # fmt: skip
