"""The people and service accounts that a document declares."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from doorward.accounts import leaving
from doorward.accounts.actors import Actor
from doorward.accounts.refused import PeopleRefused
from doorward.model import Instant, OwnerKind, Status, User, UserId
from doorward.protocol import faults
from doorward.provisioning.change import Change, PasswordChange, Writing, differences
from doorward.provisioning.document import Document, UserDeclared
from doorward.provisioning.reading import DocumentError, refuse
from doorward.storage import accounts
from doorward.storage import leaving as owners
from doorward.storage import sessions as stored_sessions
from doorward.storage.database import Reader

_WORDS: Final = {"name": "name", "kind": "kind", "status": "status"}


def plan_users(reader: Reader, document: Document, passwords: Mapping[str, PasswordChange]) -> list[Change]:
    """Return what has to change. ``passwords`` holds those that are new or other than the stored ones."""
    changes = []
    for declared in document.users:
        stored = accounts.user_by_email(reader, declared.email)
        if stored is None:
            changes.append(_change(declared, "add", partial(_insert, declared=declared)))
            continue
        if stored.kind is OwnerKind.SERVICE and declared.password is not None:
            refuse(declared.path, "a service account never signs in", "Leave the password out and give it API keys")
        user = _merged(stored, declared)
        leaves = stored.status is Status.ACTIVE and user.status is not Status.ACTIVE
        if leaves and owners.tenants_without_another_owner(reader, user.id):
            refuse(declared.path, faults.LAST_OWNER.cause.rstrip("."), "Name another owner of that tenant first")
        if user != stored:
            changes.append(_change(declared, differences(stored, user, _WORDS), partial(_update, user=user)))
        if declared.email in passwords:
            changes.append(_change(declared, "new password", partial(_replace_password, user=user)))
    return changes


def _change(declared: UserDeclared, what: str, run: partial[None]) -> Change:
    return Change(text=f"user {declared.email}: {what}", event="user:changed", subject=declared.email, run=run)


def _merged(stored: User, declared: UserDeclared) -> User:
    return replace(
        stored,
        name=stored.name if declared.name is None else declared.name,
        kind=stored.kind if declared.kind is None else declared.kind,
        status=stored.status if declared.status is None else declared.status,
    )


def _insert(writing: Writing, declared: UserDeclared) -> None:
    name = declared.email.partition("@")[0]
    blank = User(id=UserId(writing.new_id("usr")), email=declared.email, name=name, created_at=writing.now)
    password = writing.passwords.get(declared.email)
    accounts.insert_user(writing.tx, _merged(blank, declared), None if password is None else password.new)


def _update(writing: Writing, user: User) -> None:
    stored = accounts.user_by_id(writing.tx, user.id)
    by, tx = Actor(user_id=None, by="doorward apply", cause=None), writing.tx
    try:
        # As by every other way: what somebody holds ends with their account, and a tenant keeps an owner.
        if stored is not None and stored.status is Status.ACTIVE and user.status is not Status.ACTIVE:
            leaving.deactivate(tx, user.id, by, now=writing.now)
        elif stored is not None and stored.status is not Status.ACTIVE and user.status is Status.ACTIVE:
            leaving.activate(tx, user.id, by, now=writing.now)
    except PeopleRefused as refused:
        raise DocumentError(f"user {user.email}: {refused.public} {refused.fault.fix}") from refused
    accounts.update_user(writing.tx, user)


def _replace_password(writing: Writing, user: User) -> None:
    change = writing.passwords[user.email]
    if not accounts.replace_password_hash(writing.tx, user.id, expected=change.expected, new=change.new):
        raise DocumentError(f"user {user.email}: the password was changed meanwhile. Run the command again.")
    # Whoever knew the old password is signed out of the pages; connections and keys are not the password's.
    stored_sessions.end_sessions_of_user(writing.tx, user.id, Instant(writing.now))
