"""The permission catalogue after a document: what it declares, what its rules need, what rules can be derived."""

from collections.abc import Iterable, Sequence
from functools import partial

from doorward.model import Permission, PermissionEntry, Server
from doorward.policy.rules import derived_permissions
from doorward.provisioning.change import Change, Writing
from doorward.provisioning.document import Document, PermissionDeclared
from doorward.storage import permissions
from doorward.storage.database import Reader


def plan_catalogue(
    reader: Reader, document: Document, servers: Sequence[Server]
) -> tuple[list[Change], frozenset[Permission]]:
    """Return the changes, and the whole catalogue as it will be. ``servers`` are the document's, merged.

    A permission that a rule needs is put in the catalogue even where nobody declared it: otherwise nobody could have
    it. The derived permissions of a server (D4) are offered too, but an ordinary login asks for them only where the
    server has no rule of its own.
    """
    stored = {entry.permission: entry for entry in permissions.catalogue(reader)}
    wanted = dict(stored)
    for declared in document.permissions:
        wanted[declared.permission] = _merged(declared, stored.get(declared.permission))
    for server in servers:
        for entry in _needed(server):
            wanted.setdefault(entry.permission, entry)
    changes = [_change(entry, new=name not in stored) for name, entry in wanted.items() if stored.get(name) != entry]
    return changes, frozenset(wanted)


def _merged(declared: PermissionDeclared, stored: PermissionEntry | None) -> PermissionEntry:
    base = stored or _in_words(declared.permission)
    return PermissionEntry(
        permission=declared.permission,
        words=base.words if declared.words is None else declared.words,
        is_default=base.is_default if declared.is_default is None else declared.is_default,
        destructive=base.destructive if declared.destructive is None else declared.destructive,
    )


def _needed(server: Server) -> Iterable[PermissionEntry]:
    for rule in server.rules:
        yield from map(_in_words, sorted(rule.requires))
    for entry in derived_permissions(server):
        yield PermissionEntry(
            permission=entry.permission,
            words=entry.words,
            is_default=entry.is_default and not server.rules,
            destructive=entry.destructive,
        )


def _in_words(permission: Permission) -> PermissionEntry:
    resource, _, action = permission.partition(":")
    words = f"{action} {resource}".replace("_", " ").replace("-", " ").capitalize()
    return PermissionEntry(permission=permission, words=words, destructive=action == "delete")


def _change(entry: PermissionEntry, *, new: bool) -> Change:
    return Change(
        text=f"permission {entry.permission}: {'add' if new else 'change to'} “{entry.words}”"
        f"{'' if entry.is_default else ', not asked for by default'}{', destructive' if entry.destructive else ''}",
        event="permission:changed",
        subject=entry.permission,
        run=partial(_put, entry=entry),
    )


def _put(writing: Writing, entry: PermissionEntry) -> None:
    permissions.put_catalogue(writing.tx, [entry])
