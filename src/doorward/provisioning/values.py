"""Small readers that every kind of entry uses. ``None`` in, ``None`` out: what is not said stays unsaid."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Final, TypeVar

from doorward.credentials import key_policies
from doorward.model import KeyPolicy, Permission, Rates
from doorward.policy.permission import parse
from doorward.provisioning import names
from doorward.provisioning.reading import Place

SHORTEST: Final = 60
LONGEST: Final = 30 * 86_400
MOST_CALLS: Final = 10**9
USUAL: Final = 0
"""A lifetime that is written as null: the usual one, whatever was said before."""

T = TypeVar("T")
Kind = TypeVar("Kind", bound=StrEnum)


def needed(place: Place, table: Mapping[str, Place], name: str) -> Place:
    """Return a member that must be there."""
    if name not in table:
        place.refuse(f"{name} is missing", f"Add {name}")
    return table[name]


def unique(place: Place | None, read: Callable[[Place], T], name: Callable[[T], object]) -> tuple[T, ...]:
    """Return the entries of a list, none of them twice; nothing where the list is not there."""
    if place is None:
        return ()
    found: dict[object, T] = {}
    for item in place.each():
        entry = read(item)
        if name(entry) in found:
            item.refuse("the same entry a second time", "Keep one of them")
        found[name(entry)] = entry
    return tuple(found.values())


def values(place: Place | None) -> tuple[str, ...] | None:
    """Return a list of texts, none of them twice."""
    return None if place is None else unique(place, Place.text, lambda text: text)


def title(place: Place | None) -> str | None:
    """Return words that people will read."""
    if place is None:
        return None
    if not names.title_ok(place.text()):
        place.refuse("not an ordinary name", f"Use 1 to {names.MAX_TITLE} ordinary characters")
    return place.text().strip()


def flag(place: Place | None) -> bool | None:
    """Return true or false."""
    return None if place is None else place.flag()


def lifetime(place: Place | None) -> int | None:
    """Return how long access tokens live, in seconds (B14); ``USUAL`` where it says null, None where it says nothing."""
    if place is None:
        return None
    seconds = place.value
    if seconds is None:
        return USUAL
    if type(seconds) is not int or not SHORTEST <= seconds <= LONGEST:
        place.refuse("no lifetime of an access token", f"Write seconds, {SHORTEST} to {LONGEST} (30 days), or null")
    return seconds


def rates(place: Place | None) -> Rates | None:
    """Return how often may be called."""
    if place is None:
        return None
    numbers = place.table(*(item.name for item in fields(Rates)))
    for number in numbers.values():
        if type(number.value) is not int or not 0 <= number.value <= MOST_CALLS:
            number.refuse("no number of calls", f"Write 0 for no limit, or 1 to {MOST_CALLS}")
    return Rates(**{name: number.value for name, number in numbers.items()})


def key_policy(place: Place | None) -> KeyPolicy | None:
    """Return what a tenant says of its API keys; what is not named is as usual."""
    if place is None:
        return None
    said = {name: each.value for name, each in place.table("max_days", "never", "create").items()}
    try:
        return key_policies.parsed(said.get("max_days"), said.get("never"), said.get("create"))
    except ValueError as wrong:
        place.refuse(str(wrong), "Mend what is named")


def lifetime_of(stored: int | None, declared: int | None) -> int | None:
    """Return what becomes of a stored lifetime: nothing said keeps it, null takes it back."""
    return stored if declared is None else declared or None


def choice(place: Place | None, kind: type[Kind]) -> Kind | None:
    """Return a member of ``kind`` by its value."""
    if place is None:
        return None
    text = place.text()
    if text not in [member.value for member in kind]:
        place.refuse(f"{text[:80]!r} is not known", f"Write one of: {', '.join(kind)}")
    return kind(text)


def permission(place: Place) -> Permission:
    """Return a permission; wildcards are refused."""
    try:
        return parse(place.text())
    except ValueError:
        place.refuse(f"{place.text()[:80]!r} is no permission", "Write it like documents:read")


def permissions(place: Place | None) -> frozenset[Permission] | None:
    """Return a set of permissions, each written once."""
    return None if place is None else frozenset(unique(place, permission, lambda found: found))
