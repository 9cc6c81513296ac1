"""The authorization request while a person answers it: sealed, and carried by the browser (decision 0077.10, A36, G6).

Nothing is stored before there is an answer. What is sealed cannot be read, changed or made up, and the browser's own
cookie is part of the seal: a link to somebody else's request opens nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from doorward.model import SECOND, ClientId, Entropy, Instant, RequestId, ResourceId, UserId
from doorward.protocol import faults
from doorward.protocol.authorization import AuthorizationRequest
from doorward.protocol.errors import PageError
from doorward.vault import Sealer, Unsealed

LIFETIME: Final = 1800 * SECOND
"""Time to sign in, look and answer."""
_REQUEST: Final = "authorization-request/2"
_FORM: Final = "consent-form/3"
"""Labels of the seal. A change of the members needs a new number: then an old envelope does not open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingDevice:
    """The device behind a request that came by a user code (RFC 8628): what the person compares."""

    user_code: str
    asked_from: str
    asked_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A valid request that waits for its person.

    ``scopes`` is what the page shows: what was asked and exists, in the order asked; ``resource`` is the server's
    canonical URL and ``tenant_slug`` the tenant that it pins; ``client_name`` is what the client says of itself.
    """

    id: RequestId
    request: AuthorizationRequest
    client_name: str
    resource: str
    tenant_slug: str | None
    scopes: tuple[str, ...]
    issued_at: Instant
    device: AskingDevice | None = None
    """Set where a device asks. Then ``id`` is its row's, and ``request`` has neither redirect URI nor challenge."""
    expected: UserId | None = None
    """Whom the client means by its ``id_token_hint``: nobody else is answered for."""

    @property
    def expires_at(self) -> Instant:
        """When it cannot be answered any more."""
        return Instant(self.issued_at + LIFETIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownForm:
    """What a consent page showed to whom: the answer to it may choose among this and nothing else (G3, G11).

    ``shown`` are all scopes on the page, what was asked and what the client had; ``offered`` those that could be ticked
    in the tenant ``tenant_slug``, the one that was preselected.
    """

    pending: Pending
    user_id: UserId
    tenant_slug: str
    offered: frozenset[str]
    shown: tuple[str, ...]
    within: frozenset[ResourceId] | None = None
    """The nodes that the client was said to reach at most; None: the page named no limit."""


class Envelopes:
    """Seals and opens both, for one browser each."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def seal_request(self, pending: Pending, browser: str, *, entropy: Entropy) -> str:
        """Return the request as base64url text for a URL."""
        return self._seal(_REQUEST, _members(pending), browser, entropy)

    def open_request(self, sealed: str, browser: str | None, *, now: Instant) -> Pending:
        """Return the request. Raises ``PageError``: from another browser, altered, expired."""
        return _pending(self._open(_REQUEST, sealed, browser, now))

    def seal_form(self, form: ShownForm, browser: str, *, entropy: Entropy) -> str:
        """Return what a page showed, for its hidden field."""
        shown = {
            "user": form.user_id,
            "tenant": form.tenant_slug,
            "offered": sorted(form.offered),
            "held": [each for each in form.shown if each not in form.pending.scopes],
            "within": None if form.within is None else sorted(form.within),
        }
        return self._seal(_FORM, {**_members(form.pending), "shown": shown}, browser, entropy)

    def open_form(self, sealed: str, browser: str | None, *, now: Instant) -> ShownForm:
        """Return what the answered page showed. Raises ``PageError`` like ``open_request``."""
        members = self._open(_FORM, sealed, browser, now)
        shown, pending = members["shown"], _pending(members)
        return ShownForm(
            pending=pending,
            user_id=UserId(shown["user"]),
            tenant_slug=shown["tenant"],
            offered=frozenset(shown["offered"]),
            shown=(*pending.scopes, *shown["held"]),
            within=None if shown["within"] is None else frozenset(map(ResourceId, shown["within"])),
        )

    def _seal(self, label: str, members: Mapping[str, Any], browser: str, entropy: Entropy) -> str:
        payload = json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()
        return self._sealer.seal(label, payload, aad=browser.encode(), entropy=entropy)

    def _open(self, label: str, sealed: str, browser: str | None, now: Instant) -> dict[str, Any]:
        if browser is None:
            raise PageError(faults.REQUEST_FOREIGN, reason="no browser cookie")
        try:
            members: dict[str, Any] = json.loads(self._sealer.open(label, sealed, aad=browser.encode()))
        except Unsealed:
            raise PageError(faults.REQUEST_FOREIGN, reason="another browser, another key, or altered") from None
        if now >= members["issued_at"] + LIFETIME:
            raise PageError(faults.REQUEST_EXPIRED, reason="envelope is older than its lifetime")
        return members


def _members(pending: Pending) -> dict[str, Any]:
    request = {**asdict(pending.request), "prompt": sorted(pending.request.prompt), "scopes": None}
    return {
        "id": pending.id,
        "request": request,
        "client_name": pending.client_name,
        "resource": pending.resource,
        "tenant_slug": pending.tenant_slug,
        "scopes": pending.scopes,
        "issued_at": pending.issued_at,
        "device": None if pending.device is None else asdict(pending.device),
        "expected": pending.expected,
    }


def _pending(members: Mapping[str, Any]) -> Pending:
    said = members["request"]
    request = AuthorizationRequest(
        **{**said, "client_id": ClientId(said["client_id"]), "prompt": frozenset(said["prompt"])}
    )
    return Pending(
        id=RequestId(members["id"]),
        request=request,
        client_name=members["client_name"],
        resource=members["resource"],
        tenant_slug=members["tenant_slug"],
        scopes=tuple(members["scopes"]),
        issued_at=Instant(members["issued_at"]),
        device=None if members["device"] is None else AskingDevice(**members["device"]),
        expected=members["expected"],
    )
