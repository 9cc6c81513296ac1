"""Reading a submitted form: one content type, a capped body, every pair kept."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from doorward.protocol import faults, form
from doorward.web.refused import Refused

LIMIT: Final = 64 * 1024
"""Bytes."""
MAX_FIELDS: Final = 2000
"""Consent and key forms have a checkbox per permission of the deployment: ``LIMIT`` is what bounds them."""
_READ: Final = "doorward.form"


class FormRefused(Refused):
    """The body is not a form that a page of ours sends."""

    def __init__(self, reason: str, *, status: int = 400) -> None:
        super().__init__(faults.REQUEST_INVALID, status=status, reason=reason)


@dataclass(frozen=True, slots=True)
class Form:
    """The pairs as sent, in order."""

    pairs: tuple[tuple[str, str], ...]

    def one(self, name: str) -> str:
        """Return the field's value, '' where it was not sent. Raises ``FormRefused`` where it was sent twice."""
        values = self.many(name)
        if len(values) > 1:
            # Two readers could take different ones.
            raise FormRefused(f"field {name!r} sent {len(values)} times")
        return values[0] if values else ""

    def many(self, name: str) -> list[str]:
        """Return every value of a field that may repeat (checkboxes)."""
        return [value for key, value in self.pairs if key == name]


def is_form(request: Request) -> bool:
    """Say whether the body claims to be a form."""
    return (
        request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"
    )


async def read_form(request: Request, *, limit: int = LIMIT) -> Form:
    """Read an ``application/x-www-form-urlencoded`` body of at most ``limit`` bytes; a second time it is the same form.

    Raises ``FormRefused``: 415 for another content type, 413 above the limit, 400 for what is not UTF-8, has a NUL or
    more fields than any form of ours.
    """
    known = request.scope.get(_READ)
    if isinstance(known, Form):
        return known
    if not is_form(request):
        raise FormRefused("content type is not a form's", status=415)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise FormRefused(f"more than {limit} bytes", status=413)
    try:
        pairs = tuple(form.parse(bytes(body), most=MAX_FIELDS))
    except ValueError as wrong:
        raise FormRefused("not decodable, or too many fields") from wrong
    if any("\x00" in name or "\x00" in value for name, value in pairs):
        raise FormRefused("NUL in a field")
    found = request.scope[_READ] = Form(pairs)
    return found


def give_form(request: Request, form: Form) -> None:
    """Have ``form`` be what ``read_form`` returns for this request from now on."""
    request.scope[_READ] = form
