"""A form is done once, however often it comes: by a second click, from a second tab, from a page that was gone back to.

What is the same form: it stands on the same page that was shown once, goes to the same place, and holds the same. A form
that was changed since is another one. The claim is made in the transaction that does what the form is for: what was
refused claims nothing.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from starlette.requests import Request

from doorward.model import SECOND, Instant, RequestId
from doorward.protocol import faults
from doorward.storage.claims import claim_request
from doorward.storage.database import Transaction
from doorward.web.refused import Refused

LIFETIME: Final = 30 * 86_400 * SECOND
"""For so long it is known that a form was done. One that was shown longer ago is looked at again first."""
_NAME: Final = "doorward.form_name"


def name_of(shown: str, target: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Return the name of a form: ``shown`` is what its page put into it, new with each page."""
    return sha256(json.dumps([shown, target, pairs]).encode()).hexdigest()


def give_name(request: Request, name: str) -> None:
    """Say which form this request is; "" if it is none that a page showed."""
    request.scope[_NAME] = name


def name_in(request: Request) -> str:
    """Return the name of the form that this request is, or ""."""
    return str(request.scope.get(_NAME, ""))


def require_first_time(tx: Transaction, request: Request, now: Instant, *, look: tuple[str, str]) -> None:
    """Take a form's one time, within the transaction that does it; what is no page's form has as many as it likes.

    Raises ``Refused`` for a form that was done: ``look`` is where its person sees that, a path of ours and its words.
    """
    name = name_in(request)
    if name and not claim_request(tx, RequestId(f"form/{name}"), now, Instant(now + LIFETIME)):
        raise Refused(faults.FORM_SENT_ALREADY, status=409, reason="form sent twice", link=look)
