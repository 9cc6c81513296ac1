"""Who registers OAuth clients and looks after them, and what they may (B5)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from doorward.credentials.key_makers import held_by
from doorward.credentials.secret import Fingerprinter
from doorward.model import (
    Cause,
    Client,
    ClientId,
    ClientKind,
    Entropy,
    Instant,
    Permission,
    Principal,
    Tenant,
    TenantId,
    UserId,
)
from doorward.protocol import faults
from doorward.protocol.faults import Fault
from doorward.rights import MANAGE_CLIENTS, REGISTER_CLIENTS, held
from doorward.storage import clients
from doorward.storage.database import Reader


class ClientRefused(Exception):  # noqa: N818  (an answer)
    """Nothing was changed. ``public`` is for the person, ``field`` what it is about ("" for all), ``reason`` for the log."""

    def __init__(self, public: str, reason: str, *, fault: Fault = faults.CLIENT_WISH, field: str = "") -> None:
        super().__init__(reason)
        self.public = public
        self.reason = reason
        self.fault = fault
        self.field = field


class ClientUnknown(Exception):  # noqa: N818  (an answer)
    """There is no such client for whoever asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMaker:
    """Somebody who registers or changes clients in one tenant."""

    user_id: UserId | None
    """None for the operator at the command line."""
    manages: bool
    """Holds ``clients:manage``."""
    registers: bool
    """Holds ``clients:register``."""
    rights: frozenset[Permission] | None
    """At the tenant; None for the operator. A program's own secret is shown to nobody who may do less than it."""
    in_person: bool = True
    """Whether nobody else has what they come with. Else nothing is their own: neither an app nor the word about it."""

    @property
    def makes(self) -> bool:
        """Whether they may register anything at all."""
        return self.manages or self.registers

    def may_change(self, client: Client) -> bool:
        """Say whether they may look after this client."""
        return self.manages or (self.in_person and client.owner_id is not None and client.owner_id == self.user_id)

    def is_about(self, user_id: UserId) -> bool:
        """Say whether this is that person, who needs no letter about what they did themselves."""
        return self.in_person and user_id == self.user_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientWork:
    """One request about the clients of a tenant: who makes it, when, and what secrets are made with."""

    tenant: Tenant
    maker: ClientMaker
    now: Instant
    entropy: Entropy
    fingerprinter: Fingerprinter
    cause: Cause | None

    @property
    def said(self) -> dict[str, Any]:
        """Return what every audit event of it says."""
        return {"tenant_id": self.tenant.id, "actor_id": self.maker.user_id, "cause": self.cause}

    def minting(self) -> dict[str, Any]:
        """Return what a secret is made with."""
        return {"now": self.now, "entropy": self.entropy, "fingerprinter": self.fingerprinter, **self.said}


OPERATOR: Final = ClientMaker(user_id=None, manages=True, registers=True, rights=None)
"""Whoever can read the data directory."""


def person(reader: Reader, tenant_id: TenantId, user_id: UserId) -> ClientMaker:
    """Return a person who is signed in, with what they may in this tenant now."""
    administers = held(reader, tenant_id, user_id)
    return ClientMaker(
        user_id=user_id, manages=MANAGE_CLIENTS in administers, registers=REGISTER_CLIENTS in administers,
        rights=held_by(reader, tenant_id, user_id),
    )  # fmt: skip


def by_key(principal: Principal, known_to: Collection[UserId]) -> ClientMaker:
    """Return whoever comes with an API key: no more than owner and key both hold.

    ``known_to`` is what ``known_to_others`` says of the key: with one that others know nobody registers for themselves.
    """
    rights = principal.permissions & principal.scopes
    return ClientMaker(
        user_id=principal.user_id, manages=MANAGE_CLIENTS in rights,
        registers=REGISTER_CLIENTS in rights and not known_to, rights=rights, in_person=not known_to,
    )  # fmt: skip


def client_of_tenant(reader: Reader, tenant: Tenant, client_id: ClientId, maker: ClientMaker) -> Client:
    """Return a client that ``maker`` looks after. Raises ``ClientUnknown``, the same for a foreign one and none."""
    client = clients.client_by_id(reader, client_id)
    if client is None or client.tenant_id != tenant.id or client.kind is not ClientKind.REGISTERED:
        raise ClientUnknown
    if not maker.may_change(client):
        raise ClientUnknown
    return client


def living(client: Client) -> Client:
    """Return a client that was not deleted. Raises ``ClientRefused``."""
    if client.deleted_at is not None:
        raise ClientRefused("This app was deleted and never comes back.", "deleted", fault=faults.CLIENT_ENDED)
    return client


def require_as_much(client: Client, rights_of_account: frozenset[Permission], maker: ClientMaker) -> None:
    """Refuse whoever may do less than a client that acts by itself: its secret would be theirs to use (I6).

    Raises ``ClientRefused``.
    """
    if client.service_account is None or maker.rights is None:
        return
    most = rights_of_account if client.scope_limit is None else client.scope_limit
    beyond = sorted(most - maker.rights)
    if beyond:
        public = f"You may not do this yourself, so its secret is not for you: {', '.join(beyond)}."
        raise ClientRefused(public, "secret of a machine beyond the maker's rights", fault=faults.CLIENT_BEYOND)
