"""A tenant's ``overrides`` entry: a pattern at a server, denied, made to need more or an approval; for whom."""

from collections.abc import Mapping

from doorward.model import Approvers, Effect, Permission, RuleKind, SubjectKind
from doorward.provisioning import names
from doorward.provisioning.document import OverrideDeclared
from doorward.provisioning.parse_approval import parse_approval
from doorward.provisioning.parse_server import KINDS, pattern
from doorward.provisioning.reading import Place
from doorward.provisioning.values import flag, needed, permissions

_SUBJECTS = tuple(kind.value for kind in SubjectKind if kind is not SubjectKind.EVERYBODY)


def parse_override(place: Place) -> OverrideDeclared:
    """Return one override. Raises ``DocumentError``."""
    table = place.table("server", *KINDS, "deny", "require", "approval", "for")
    kind, match = _what(place, table)
    effect, requires, approval = _effect(place, table, kind)
    subject, whom = _whom(table.get("for"))
    return OverrideDeclared(
        path=place.path,
        server=needed(place, table, "server").text(),
        kind=kind,
        match=match,
        effect=effect,
        requires=requires,
        approval=approval,
        subject=subject,
        whom=whom,
    )


def _what(place: Place, table: Mapping[str, Place]) -> tuple[RuleKind, str]:
    named = [word for word in KINDS if word in table]
    if len(named) != 1:
        place.refuse("not one pattern", f"Write one of: {', '.join(KINDS)}")
    kind = KINDS[named[0]]
    return kind, pattern(table[named[0]], kind)


def _effect(
    place: Place, table: Mapping[str, Place], kind: RuleKind
) -> tuple[Effect, frozenset[Permission], Approvers | None]:
    requires, approval = permissions(table.get("require")), parse_approval(table.get("approval"), kind)
    # One of the three: each override says one thing, and those that fit hold together.
    said = [flag(table.get("deny")) is True, bool(requires), approval is not None]
    if sum(said) != 1 or len(table.keys() & {"deny", "require", "approval"}) != 1:
        place.refuse(
            "neither denied nor made to need more or an approval, or several of these",
            "Write one of: deny: true, require: [documents:delete], approval: self",
        )
    effect = (Effect.DENY, Effect.REQUIRE, Effect.APPROVAL)[said.index(True)]
    return effect, requires or frozenset(), approval


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
