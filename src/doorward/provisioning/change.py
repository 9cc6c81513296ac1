"""One change that a document asks for: its words for people, how it is made, and the event that tells of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from doorward.credentials.secret import Fingerprinter
from doorward.model import Entropy, Instant
from doorward.storage.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChange:
    """A password that was hashed outside the transaction, and the hash that was seen then (None: there was none)."""

    expected: str | None
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedSecret:
    """A confidential client's secret, at the only moment it is known."""

    client_id: str
    name: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What a change is made with."""

    tx: Transaction
    now: Instant
    entropy: Entropy
    fingerprinter: Fingerprinter
    passwords: Mapping[str, PasswordChange]
    """By e-mail address."""
    issued: list[IssuedSecret] = field(default_factory=list)

    def new_id(self, prefix: str) -> str:
        """Return a new id of 128 bits, like ``usr_3f…``."""
        return f"{prefix}_{self.entropy(16).hex()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """``text`` is one line for people. ``event`` is the audit event, or None where ``run`` writes it itself."""

    text: str
    event: str | None
    subject: str
    tenant: str | None = None
    """The slug of the tenant it belongs to."""
    run: Callable[[Writing], None]


def differences(before: object, after: object, names: Mapping[str, str]) -> str:
    """Return ``name “A” → “B”, rules`` for the fields that differ.

    ``names`` maps a field to its word; texts are shown, other values only named.
    """
    parts = []
    for name, word in names.items():
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            parts.append(f"{word} “{old}” → “{new}”" if isinstance(old, str) else word)
    return ", ".join(parts)
