"""A tenant's ``overrides`` entry: a pattern at a server, denied or made to need more, for everybody or for somebody."""

from collections.abc import Mapping

from doorward.model import Effect, Permission, RuleKind, SubjectKind
from doorward.provisioning import names
from doorward.provisioning.document import OverrideDeclared
from doorward.provisioning.parse_server import KINDS, pattern
from doorward.provisioning.reading import Place
from doorward.provisioning.values import flag, needed, permissions

_SUBJECTS = tuple(kind.value for kind in SubjectKind if kind is not SubjectKind.EVERYBODY)


def parse_override(place: Place) -> OverrideDeclared:
    """Return one override. Raises ``DocumentError``."""
    table = place.table("server", *KINDS, "deny", "require", "for")
    kind, match = _what(place, table)
    effect, requires = _effect(place, table)
    subject, whom = _whom(table.get("for"))
    return OverrideDeclared(
        path=place.path,
        server=needed(place, table, "server").text(),
        kind=kind,
        match=match,
        effect=effect,
        requires=requires,
        subject=subject,
        whom=whom,
    )


def _what(place: Place, table: Mapping[str, Place]) -> tuple[RuleKind, str]:
    named = [word for word in KINDS if word in table]
    if len(named) != 1:
        place.refuse("not one pattern", f"Write one of: {', '.join(KINDS)}")
    kind = KINDS[named[0]]
    return kind, pattern(table[named[0]], kind)


def _effect(place: Place, table: Mapping[str, Place]) -> tuple[Effect, frozenset[Permission]]:
    requires = permissions(table.get("require"))
    if flag(table.get("deny")) is not (None if requires else True):
        place.refuse("neither denied nor made to need more", "Write deny: true, or require: [documents:delete]")
    return (Effect.REQUIRE, requires) if requires else (Effect.DENY, frozenset())


def _whom(place: Place | None) -> tuple[SubjectKind, str]:
    if place is None:
        return SubjectKind.EVERYBODY, ""
    table = place.table(*_SUBJECTS)
    if len(table) != 1:
        place.refuse("not one kind of caller", f"Write one of: {', '.join(_SUBJECTS)}; for everybody, leave it out")
    ((word, value),) = table.items()
    if word != SubjectKind.USER.value:
        return SubjectKind(word), value.text()
    email = names.email_of(value.text())
    if email is None:
        value.refuse(f"{value.text()[:80]!r} is no e-mail address", "Write it like ines@acme.example")
    return SubjectKind.USER, email
