"""The identities that a person has connected, and taking one away without locking oneself out."""

from collections.abc import Sequence
from dataclasses import dataclass

from doorward import audit
from doorward.accounts import ways_in
from doorward.model import Cause, Identity, IdentityProvider, Instant, Passkey, Session, Status, User
from doorward.storage import accounts, identities, identity_providers, passkeys, sessions
from doorward.storage.database import Reader, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """What a person sees: what is connected, each with its provider, and what may be."""

    connected: list[tuple[Identity, IdentityProvider]]
    others: list[IdentityProvider]


class OnlyWayIn(Exception):  # noqa: N818  (a state)
    """Without it the person could not sign in any more. Nothing was changed."""


def mine(reader: Reader, user: User) -> Mine:
    """Return a person's identities and the providers that are switched on and not connected."""
    known = {each.id: each for each in identity_providers.all_providers(reader)}
    found = [(each, known[each.provider_id]) for each in identities.identities_of_user(reader, user.id)]
    used = {provider.id for _, provider in found}
    on = [each for each in known.values() if each.status is Status.ACTIVE and each.id not in used]
    return Mine(connected=found, others=on)


def disconnect(  # noqa: PLR0913
    tx: Transaction, user: User, session: Session, *, issuer: str, subject: str, now: Instant, cause: Cause | None
) -> bool:
    """Take an identity away, and the sessions that began by it but for the one at hand. False where it is not theirs.

    Raises ``OnlyWayIn``.
    """
    held = accounts.changing_user(tx, user.id)
    theirs = identities.identities_of_user(tx, user.id)
    gone = next((each for each in theirs if (each.issuer, each.subject) == (issuer, subject)), None)
    if held is None or gone is None:
        return False
    left = [each for each in theirs if each is not gone]
    if not can_still_come(tx, held, left, passkeys.passkeys_of_user(tx, user.id)):
        raise OnlyWayIn
    identities.remove_identity(tx, user.id, issuer, subject)
    means = ways_in.through(gone.provider_id)
    if session.means != means and all(each.provider_id != gone.provider_id for each in left):
        sessions.end_sessions_by(tx, user.id, means, now)
    audit.record(
        tx, name="identity:removed", at=now, actor_id=user.id, subject=user.id, detail={"issuer": issuer}, cause=cause,
    )  # fmt: skip
    return True


def can_still_come(reader: Reader, user: User, left: Sequence[Identity], keys: Sequence[Passkey]) -> bool:
    """Say whether a way in is left that is open to them, now. A mailed link does not count: mail may be off."""
    if accounts.password_hash(reader, user.id) is not None and ways_in.why_not(reader, user, "password") is None:
        return True
    if any(each.disabled_at is None for each in keys) and ways_in.why_not(reader, user, "passkey") is None:
        return True
    return any(ways_in.why_not(reader, user, ways_in.through(each.provider_id)) is None for each in left)
