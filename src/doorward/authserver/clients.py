"""Who a ``client_id`` is: a stored client, or one that a metadata document describes.

A document decides what the client is, its stored row whether it may be used: the row is written at the first approval
(connections refer to it), and an administrator can disable or limit it. For whoever asks now the document is the one
that was fetched last, or our copy of it (decision 0007); for whoever was approved it is what the row says: a document
that changes between consent and token changes nothing of what was agreed (F10).
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from doorward.authserver import client_keys
from doorward.credentials import client_assertion
from doorward.credentials.secret import Fingerprinter
from doorward.model import Client, ClientAuthMethod, ClientId, ClientKind, Fingerprint, Instant, Status
from doorward.protocol import client_auth, jsonrpc
from doorward.protocol.client_assertion import judge
from doorward.protocol.client_auth import PresentedClient
from doorward.protocol.client_metadata import is_metadata_document_url, parse_metadata_document
from doorward.protocol.errors import PageError
from doorward.protocol.signed_jwt import BadAssertion
from doorward.storage import client_documents, clients
from doorward.storage.database import Conflict, Reader, Transaction

Copies = Mapping[str, bytes | Mapping[str, Any]]
"""A document's URL to our copy of it, as bytes or decoded."""


class ClientDirectory:
    """Finds clients.

    ``pinned_documents`` are an administrator's copies and stand for the document itself, ``bundled_documents`` ours;
    ``policy`` is whose documents count: ``open`` everybody's, ``pinned`` those of the copies, ``off`` nobody's.
    """

    def __init__(
        self,
        *,
        pinned_documents: Copies,
        vendor_schemes: frozenset[str],
        bundled_documents: Copies | None = None,
        policy: str = "pinned",
    ) -> None:
        self._schemes, self.fetches = vendor_schemes, policy == "open"
        copies: Copies = {} if policy == "off" else {**(bundled_documents or {}), **pinned_documents}
        self._documents = {ClientId(url): _described(url, each, vendor_schemes) for url, each in copies.items()}
        self._fixed = frozenset(map(ClientId, pinned_documents))

    def find(self, reader: Reader, client_id: ClientId) -> Client | None:
        """Return the client as it was approved, active or not, or None: at the token endpoint (F10).

        A document that is pinned no more describes nobody where only pinned ones count.
        """
        stored = clients.client_by_id(reader, client_id)
        described = self._documents.get(client_id)
        if described is None:
            gone = stored is None or (stored.kind is ClientKind.METADATA_DOCUMENT and not self.fetches)
            return None if gone else stored
        return _merged(described, stored)

    def asking(self, reader: Reader, client_id: ClientId) -> Client | None:
        """Return the client as its document describes it now, active or not, or None: where a person is asked."""
        stored = clients.client_by_id(reader, client_id)
        described = self._described_now(reader, client_id)
        if described is None:
            return None if stored is None or stored.kind is ClientKind.METADATA_DOCUMENT else stored
        return _merged(described, stored)

    def read_document(self, url: str, body: bytes) -> Client:
        """Return the client that a fetched document describes. Raises ``ValueError``: what is wrong with it."""
        return _described(url, body, self._schemes)

    def copy_of(self, client_id: ClientId) -> Client | None:
        """Return the client of our copy of a document, if there is one."""
        return self._documents.get(client_id)

    def is_fixed(self, client_id: ClientId) -> bool:
        """Say whether an administrator's copy stands for this document: it is never fetched."""
        return client_id in self._fixed

    def _described_now(self, reader: Reader, client_id: ClientId) -> Client | None:
        copy = self._documents.get(client_id)
        if not self.fetches or client_id in self._fixed or not is_metadata_document_url(client_id):
            return copy
        document = client_documents.document_by_url(reader, client_id)
        if document is None:
            return copy
        try:
            fetched = self.read_document(client_id, document.body.encode())
        except ValueError:  # read by an older version with other rules
            return copy
        return fetched if copy is None else _together(copy, fetched)

    def remember(self, tx: Transaction, client: Client, now: Instant) -> None:
        """Write down a client that only its document described so far, or whose document has changed."""
        if client.kind is not ClientKind.METADATA_DOCUMENT:
            return
        stored = clients.client_by_id(tx, client.id)
        if stored is None:
            new = replace(client, created_at=now)
            with suppress(Conflict):  # somebody else approved it first, a moment ago
                clients.insert_client(tx, new, canonical_key=None, secret_fingerprint=None)
        elif stored != client:
            clients.update_client(tx, client)


def _merged(described: Client, stored: Client | None) -> Client:
    if stored is None:
        return described
    return replace(
        described, status=stored.status, scope_limit=stored.scope_limit, access_ttl=stored.access_ttl,
        created_at=stored.created_at,
    )  # fmt: skip


def _together(copy: Client, fetched: Client) -> Client:
    """Return our copy with the redirect URIs that the vendor has added since.

    A document that declares another way to prove itself adds none: it would be held to less than it asks for.
    """
    if copy.auth_method is not fetched.auth_method:
        return copy
    return replace(copy, redirect_uris=tuple(dict.fromkeys([*copy.redirect_uris, *fetched.redirect_uris])))


def authenticated(
    reader: Reader, directory: ClientDirectory, presented: PresentedClient, fingerprinter: Fingerprinter, now: Instant,
    *, asking: bool = False,
) -> Client:  # fmt: skip
    """Return the client that presented itself by its registered method and, if confidential, proved it.

    ``asking``: nobody has approved it yet, so that it is what its document says now (a device that asks or waits).

    An assertion counts after ``prove`` only. Raises ``OAuthError`` ``invalid_client``: one answer for unknown,
    disabled and wrong (C7 to C9).
    """
    # Before anything is known of the client, so that an unknown one takes as long as a known one.
    fingerprint = fingerprinter.of(presented.secret) if presented.secret is not None else Fingerprint("")
    client = _usable(reader, directory, presented, asking=asking)
    if presented.method is ClientAuthMethod.PRIVATE_KEY_JWT:
        if not presented.proven:
            raise client_auth.refusal(presented, f"assertion of client {client.id} was not looked at")
    elif client.auth_method is not ClientAuthMethod.NONE:
        known = clients.client_secret_fingerprints(reader, client.id, now)
        if not any(fingerprinter.same(fingerprint, each) for each in known):
            raise client_auth.refusal(presented, f"wrong secret for client {client.id}")
    return client


def prove(
    tx: Transaction, directory: ClientDirectory, presented: PresentedClient, audiences: Collection[str], now: Instant,
    *, asking: bool = False,
) -> PresentedClient:  # fmt: skip
    """Check a presented assertion and use it up: a write of its own, which stays whatever becomes of the request.

    Otherwise an assertion whose request was refused would be good for another one. Returns what ``authenticated``
    takes. Raises ``OAuthError`` ``invalid_client``; then nothing was used up (C29).
    """
    if presented.assertion is None:
        return presented
    client = _usable(tx, directory, presented, asking=asking)
    try:
        client_assertion.verify(presented.assertion, client_keys.known(tx, client, now))
        jti, end = judge(presented.assertion, audiences, now)
    except BadAssertion as wrong:
        raise client_auth.refusal(presented, f"assertion of client {client.id}: {wrong}") from None
    if not clients.use_assertion(tx, client.id, jti, now=now, expires_at=end):
        raise client_auth.refusal(presented, f"assertion of client {client.id} came again")
    return replace(presented, assertion=None, proven=True)


def _usable(reader: Reader, directory: ClientDirectory, presented: PresentedClient, *, asking: bool) -> Client:
    find = directory.asking if asking else directory.find
    client = find(reader, presented.client_id)
    if client is None:
        raise client_auth.refusal(presented, f"unknown client {presented.client_id[:200]!r}")
    if client.status is not Status.ACTIVE:
        raise client_auth.refusal(presented, f"client {client.id} is disabled")
    client_auth.require_registered_method(client, presented)
    return client


def _described(url: str, document: bytes | Mapping[str, Any], vendor_schemes: frozenset[str]) -> Client:
    """Return the client of one document. Raises ``ValueError`` that names the document and what is wrong with it."""
    if not is_metadata_document_url(url):
        raise ValueError(f"{url}: not the URL of a client metadata document")
    body = document if isinstance(document, bytes) else jsonrpc.encode(dict(document))
    try:
        read = parse_metadata_document(url, body, vendor_schemes=vendor_schemes)
    except PageError as wrong:
        raise ValueError(f"{url}: {wrong.reason}") from wrong
    return Client(
        id=ClientId(url),
        kind=ClientKind.METADATA_DOCUMENT,
        name=read.name,
        redirect_uris=read.redirect_uris,
        grant_types=read.grant_types,
        auth_method=read.auth_method,
        client_uri=read.client_uri,
        metadata=read.metadata,
        id_token_signed_response_alg=read.id_token_alg,
        post_logout_redirect_uris=read.post_logout_redirect_uris,
        jwks=read.jwks,
        jwks_uri=read.jwks_uri,
        created_at=Instant(0),
    )
