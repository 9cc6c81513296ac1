"""Who may give rights to whom: nobody more than they have themselves (case M3).

Rights are compared as patterns, as they stand in roles: ``*:*`` is more than every permission that there is today,
because it will hold for those of tomorrow too.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from doorward.model import Permission
from doorward.policy.permission import expand


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What somebody who changes other people's rights holds at the tenant themselves."""

    patterns: frozenset[str]
    """Of their roles at the tenant; what they hold at nodes of its tree gives no word about its members."""
    owner: bool
    """Only an owner makes, unmakes or touches an owner."""
    limit: frozenset[Permission] | None = None
    """What the API key that they come with is good for; None: they come in person."""

    def covers(self, patterns: Iterable[str], catalogue: Collection[Permission]) -> bool:
        """Say whether all of ``patterns`` are within what this person, with this credential, holds."""
        wanted = frozenset(patterns)
        within = self.limit is None or expand(wanted, catalogue) <= self.limit
        return within and all(any(_includes(mine, each) for mine in self.patterns) for each in wanted)


def _includes(mine: str, other: str) -> bool:
    resource, _, action = mine.partition(":")
    its_resource, _, its_action = other.partition(":")
    return resource in {"*", its_resource} and action in {"*", its_action}
