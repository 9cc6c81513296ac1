"""Where a denial is mended: from the reason on the page *Why was it denied?* to the page where it is changed.

Only pages that the reader sees in their own navigation are named, so a link never leads to a refusal.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, urlencode

from doorward.policy.decide import DenialReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """What was asked. ``reason``: as ``gateway.why.described`` names it; ``user_id`` is '' for nobody who is known."""

    tenant: str
    user_id: str
    who: str
    server: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Mend:
    """One link. ``page`` is the entry of the navigation that it belongs to."""

    page: str
    href: str
    words: str


CREDENTIAL: Final = "credential"
NEEDS_APPROVAL: Final = "needs_approval"
_PERSON: Final = "person"
_SERVER: Final = "server"
_HELD: Final = "held"
_KINDS: Final[Mapping[str, str]] = MappingProxyType({
    DenialReason.NO_RIGHT: _PERSON, DenialReason.NOT_HERE: _PERSON,
    DenialReason.EVERYWHERE: _SERVER, DenialReason.SERVER: _SERVER, DenialReason.NO_RULE: _SERVER, DenialReason.OVERRIDE: _SERVER,
    DenialReason.UNRESOLVABLE: _SERVER, DenialReason.EXPIRED: _HELD, DenialReason.SCOPE: _HELD,
    DenialReason.DECLINED: _HELD, DenialReason.OUTSIDE_RESOURCES: _HELD, CREDENTIAL: _HELD,
    NEEDS_APPROVAL: NEEDS_APPROVAL,
})  # fmt: skip


def mends(reason: str, asked: Denied, shown: Collection[str]) -> list[Mend]:
    """Return the links for ``reason``, first the likeliest. ``shown``: paths of the reader's navigation."""
    return [each for each in _all(_KINDS.get(reason, ""), asked) if each.page in shown]


def _all(kind: str, asked: Denied) -> Sequence[Mend]:
    tenant = urlencode({"tenant": asked.tenant})
    if kind == _PERSON:
        one = (
            f"/settings/members/{quote(asked.user_id, safe='')}?{tenant}"
            if asked.user_id
            else f"/settings/members?{tenant}"
        )
        return (
            Mend("/settings/members", one, f"Change the roles of {asked.who}"),
            Mend("/settings/roles", f"/settings/roles?{tenant}", "Change what a role gives"),
        )
    if kind == _SERVER:
        one = f"/settings/server/{quote(asked.server, safe='')}"
        tool = Mend(
            "/settings/servers",
            f"{one}/tool?{urlencode({'tenant': asked.tenant, 'name': asked.name})}",
            f"Look at {asked.name}",
        )
        return (
            *([tool] if asked.kind == "tool" else []),
            Mend("/settings/servers", f"{one}?{tenant}", f"Rules of {asked.server}"),
        )
    if kind == _HELD:
        return (
            Mend("/settings/credentials", f"/settings/credentials?{tenant}", "Keys and connections"),
            Mend("/settings/apps", f"/settings/apps?{tenant}", "Connected apps"),
            Mend("/settings/keys", "/settings/keys", "Your API keys"),
        )
    return (Mend("/approvals", "/approvals", "Calls that wait"),) if kind == NEEDS_APPROVAL else ()
