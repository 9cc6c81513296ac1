"""One admitted request as its use case sees it: who asks, for which tenant, what was sent, in which transaction."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from doorward.accounts.actors import Actor
from doorward.accounts.mailed import Mailing
from doorward.api.problems import unknown
from doorward.authserver.clients import ClientDirectory
from doorward.credentials.key_makers import Maker, by_key, known_to_others, person
from doorward.credentials.secret import Fingerprinter
from doorward.gateway.approvals.asking import Terms
from doorward.model import Cause, Entropy, Instant, Permission, Principal, Session, Tenant, User, UserId
from doorward.storage import accounts
from doorward.storage.database import Database, Transaction
from doorward.vault import Sealer
from doorward.web.dns_lookup import TextLookup

T = TypeVar("T")
S = TypeVar("S")
Mark = tuple[Any, ...]
"""Where a page of a list ends: values that order its rows, the last of them unique."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What use cases are made with: collaborators and settings that are the same for every request."""

    database: Database
    now: Callable[[], Instant]
    entropy: Entropy
    fingerprinter: Fingerprinter
    sealer: Sealer
    key_prefix: str
    public_url: str
    terms: Terms
    mailing: Mailing
    directory: ClientDirectory
    vendor_schemes: Collection[str]
    lookup: TextLookup
    own_servers: bool = True
    """Whether tenants may add servers of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the owner of an API key with it (``key``), or a person in a browser (``session``); never both."""

    user_id: UserId
    key: Principal | None = None
    session: Session | None = None

    @property
    def name(self) -> str:
        """What marks of lists and kept answers are bound to."""
        return f"user:{self.user_id}" if self.key is None else f"key:{self.key.credential_id}"

    @property
    def by(self) -> str:
        """How they came, for the audit log."""
        return "session" if self.key is None else f"api key {self.key.credential_id}"

    @property
    def limit(self) -> frozenset[Permission] | None:
        """What the key is good for that they come with; None for a person."""
        return None if self.key is None else self.key.scopes


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list, and where the next begins; ``mark`` None: nothing follows."""

    items: Sequence[T]
    mark: Mark | None = None

    def told(self, tell: Callable[[T], S]) -> "Page[S]":
        """Return the page with each item told."""
        return Page([tell(item) for item in self.items], self.mark)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. ``tx`` is a reader where the route changes nothing; ``body`` and ``query`` have been read strictly."""

    tx: Transaction
    parts: Parts
    caller: Caller
    of_tenant: Tenant | None
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any
    after: Mark | None
    most: int
    now: Instant
    cause: Cause
    prepared: Any = None
    """What the route's ``prepare`` returned."""

    @property
    def tenant(self) -> Tenant:
        """The tenant of the address. Raises ``Problem`` (404) where the address names none."""
        if self.of_tenant is None:
            raise unknown("There is no such tenant.")
        return self.of_tenant

    @property
    def user(self) -> User:
        """The person, or the owner of the key. Raises ``Problem`` (404) where they are just gone."""
        found = accounts.user_by_id(self.tx, self.caller.user_id)
        if found is None:
            raise unknown("There is no such user.")
        return found

    @property
    def in_person(self) -> bool:
        """Whether nobody but the caller has what they come with."""
        return self.caller.key is None or not known_to_others(self.tx, self.caller.key)

    def actor(self) -> Actor:
        """Return who changes other people's accounts and rights."""
        caller = self.caller
        return Actor(
            user_id=caller.user_id, by=caller.by, limit=caller.limit, cause=self.cause,
            in_person=self.in_person,
        )  # fmt: skip

    def maker(self) -> Maker:
        """Return who makes or changes API keys."""
        key = self.caller.key
        return (
            person(self.tx, self.tenant.id, self.caller.user_id)
            if key is None
            else by_key(key, known_to_others(self.tx, key))
        )

    def page(self, found: Sequence[T], mark: Callable[[T], Mark]) -> Page[T]:
        """Return the page of a list that was read from ``after`` on, with at most one row more than ``most``."""
        shown = found[: self.most]
        return Page(shown, mark(shown[-1]) if len(found) > self.most else None)

    def page_of_all(self, found: Sequence[T], mark: Callable[[T], Mark]) -> Page[T]:
        """Return the page of a list that was read whole; it is ordered by ``mark``."""
        after = self.after
        rest = sorted((row for row in found if after is None or mark(row) > after), key=mark)
        return self.page(rest[: self.most + 1], mark)
