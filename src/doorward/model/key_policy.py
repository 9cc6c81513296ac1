"""What a tenant says of its API keys."""

from dataclasses import dataclass
from enum import StrEnum


class KeyMakers(StrEnum):
    """Who may make keys in a tenant, for themselves."""

    MEMBERS = "members"
    """Everybody who may do something there."""
    PERMITTED = "permitted"
    """Who holds ``keys:create``, and administrators."""
    ADMINISTRATORS = "administrators"
    """Who holds ``keys:manage``."""


class NeverEnding(StrEnum):
    """Who may make a key that has no end."""

    MEMBERS = "members"
    ADMINISTRATORS = "administrators"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPolicy:
    """What holds for keys when they are made or given another end; those that there are stay as they are."""

    max_days: int | None = None
    """How long a key lives at most; None: as long as it likes."""
    never: NeverEnding | None = None
    """None: members where there is no ``max_days``, administrators where there is."""
    create: KeyMakers = KeyMakers.MEMBERS

    @property
    def may_never_end(self) -> NeverEnding:
        """Who may make a key that has no end."""
        if self.never is not None:
            return self.never
        return NeverEnding.MEMBERS if self.max_days is None else NeverEnding.ADMINISTRATORS
