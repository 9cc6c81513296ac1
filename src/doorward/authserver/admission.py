"""Whether a client may be let into a tenant at all, before anybody is asked (B3; decision 0036).

``approved``: a client that came by itself needs an administrator's word first, for the client or for the https host that
its answers go to. A denial stands above every approval, under every policy. A redirect URI that the client did not
register counts where an administrator allowed exactly that one for it, in that tenant and nowhere else.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from doorward.authserver import returning
from doorward.model import Client, ClientAuthMethod, ClientId, ClientKind, TenantId
from doorward.protocol import faults, redirect_uri
from doorward.protocol.faults import Fault
from doorward.storage import client_verdicts
from doorward.storage.client_verdicts import Verdict, VerdictKind
from doorward.storage.database import Reader

APPROVED: Final = "approved"
_HTTPS: Final = re.compile(r"https://([a-z0-9.-]+(?::[0-9]{1,5})?)(?:[/?].*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Admission:
    """The registration policy. ``is_fixed`` says whose document the operator keeps a copy of: these are allowed."""

    policy: str
    is_fixed: Callable[[ClientId], bool]

    def why_not(self, reader: Reader, tenant_id: TenantId, client: Client, uri: str | None) -> Fault | None:
        """Return why this client, answered at ``uri``, may not be let into the tenant; None: it may.

        Without ``uri`` it is a device, which fetches its answer (RFC 8628).
        """
        client = returning.with_appended(client, uri)
        said = self.said(reader, tenant_id, client, uri)
        if not all(verdict.allowed for verdict in said):
            return faults.CLIENT_NOT_ALLOWED
        kinds = {verdict.kind for verdict in said}
        if uri is not None and not _registered(client, uri) and VerdictKind.REDIRECT_URI not in kinds:
            return faults.REDIRECT_NOT_REGISTERED
        known = client.kind is ClientKind.REGISTERED or self.is_fixed(client.id)
        if self.policy != APPROVED or known or kinds & {VerdictKind.CLIENT, VerdictKind.REDIRECT_HOST}:
            return None
        return faults.CLIENT_NOT_ALLOWED

    @staticmethod
    def said(reader: Reader, tenant_id: TenantId, client: Client, uri: str | None) -> list[Verdict]:
        """Return what administrators said of this client, answered at ``uri``, as far as it holds in the tenant."""
        host = https_host(uri or "") or "-"  # no host is called that
        return client_verdicts.fitting(reader, tenant_id, client.id, host=host, uri=stored(client, uri or "-"))


def with_allowed(reader: Reader, client: Client, uri: str | None) -> Client:
    """Return the client, for this request, with ``uri`` registered if a vendor appends it or anybody allowed it.

    Whether that holds in the tenant that is chosen is for ``Admission.why_not`` to say.
    """
    client = returning.with_appended(client, uri)
    if uri is None or not by_verdict_only(reader, client, uri):
        return client
    return replace(client, redirect_uris=(*client.redirect_uris, uri))


def by_verdict_only(reader: Reader, client: Client, uri: str | None) -> bool:
    """Say whether nothing but an administrator's word makes this redirect URI the client's."""
    if uri is None or _registered(returning.with_appended(client, uri), uri):
        return False
    return client_verdicts.redirect_allowed_somewhere(reader, client.id, stored(client, uri))


def https_host(uri: str) -> str | None:
    """Return host and port of an https URI as it stands there; None for every other: a host is proven by TLS only."""
    found = _HTTPS.fullmatch(uri)
    return None if found is None else found[1]


def stored(client: Client, uri: str) -> str:
    """Return the form in which a redirect URI is allowed: a native client has another port at each run (RFC 8252)."""
    return redirect_uri.without_loopback_port(uri) if client.auth_method is ClientAuthMethod.NONE else uri


def _registered(client: Client, uri: str) -> bool:
    public = client.auth_method is ClientAuthMethod.NONE
    return redirect_uri.matches(client.redirect_uris, uri, any_loopback_port=public)
