"""Passkeys: adding, using, naming and removing them (feature E1; decision 0064).

All are discoverable (nobody types a name) and verify their person (PIN, finger, face): one is a whole proof. What
comes from a browser is never trusted further than its signature; whatever a parser makes of it, the answer is no.
``ceremonies`` is loaded when the first passkey is asked for: its library takes fifty milliseconds of a start.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from doorward import audit
from doorward.accounts import notices
from doorward.accounts.entering import Entering, SignedIn, refuse
from doorward.accounts.identity_list import OnlyWayIn, can_still_come
from doorward.accounts.passkey_challenges import Challenge, Challenges, Purpose
from doorward.accounts.passkey_site import Site
from doorward.accounts.sessions import Came
from doorward.credentials.api_keys import is_plain_name
from doorward.credentials.secret import base64url, from_base64url
from doorward.model import Cause, Entropy, Instant, Passkey, User, UserId
from doorward.storage import accounts, identities
from doorward.storage import passkeys as stored
from doorward.storage.database import Conflict, Database, Transaction

PASSKEY: Final = "passkey"
MOST: Final = 20
"""Passkeys of one person."""
MAX_ANSWER: Final = 16 * 1024
_NAMELESS: Final = "Passkey"
_ID_BYTES: Final = 12
_TRANSPORTS: Final = frozenset({"usb", "nfc", "ble", "smart-card", "hybrid", "internal", "cable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the page hands to the browser, and what it sends back with the answer."""

    options: dict[str, Any]
    challenge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Used:
    """A signature that fitted."""

    passkey: Passkey
    sign_count: int


class Passkeys:
    """The use cases, with what they need."""

    def __init__(
        self,
        *,
        database: Database,
        challenges: Challenges,
        entering: Entering,
        site: Site,
        now: Callable[[], Instant],
        entropy: Entropy,
    ) -> None:
        self._database, self._challenges, self._entering = database, challenges, entering
        self._site, self._now, self._entropy = site, now, entropy

    async def ask_to_add(self, user: User, browser: str) -> Asked:
        """Return what makes a new passkey of ``user``, on a device that has none of theirs yet."""
        from doorward.accounts import ceremonies  # noqa: PLC0415

        known = await self._database.read(lambda reader: stored.passkeys_of_user(reader, user.id))
        challenge, sealed = self._challenges.make(Purpose.ADD, browser, user_id=user.id, now=self._now())
        options = ceremonies.to_add(self._site, user, challenge.text, known)
        return Asked(options=options, challenge=sealed)

    async def ask(self, purpose: Purpose, browser: str, user: User | None = None) -> Asked:
        """Return what asks for a passkey: anybody's to sign in, one of ``user``'s to confirm."""
        from doorward.accounts import ceremonies  # noqa: PLC0415

        challenge, sealed = self._challenges.make(
            purpose, browser, user_id=None if user is None else user.id, now=self._now()
        )
        known = [] if user is None else await self.of(user)
        return Asked(options=ceremonies.to_prove(self._site, challenge.text, known), challenge=sealed)

    async def of(self, user: User) -> list[Passkey]:
        """Return the passkeys that this person can use."""
        known = await self._database.read(lambda reader: stored.passkeys_of_user(reader, user.id))
        return [each for each in known if each.disabled_at is None]

    async def sign_in(self, sealed: str, answer: str, browser: str | None, came: Came) -> SignedIn | None:
        """Begin a session for whoever's passkey answered; None where nothing fits. Raises ``StorageUnavailable``."""
        now = self._now()
        challenge = self._challenges.open(sealed, Purpose.SIGN_IN, browser, user_id=None, now=now)
        used = None if challenge is None else await self._used(challenge, answer)
        if challenge is None or used is None:
            await self._database.write(
                lambda tx: refuse(tx, None, "no passkey, or its answer does not fit", came, now=now)
            )
            return None

        def begin(tx: Transaction) -> SignedIn | None:
            if not self._count(tx, challenge, used, now, came.cause):
                return None
            return self._entering.begin(tx, used.passkey.user_id, came, means=PASSKEY, now=now)

        return await self._database.write(begin)

    async def confirm(self, sealed: str, answer: str, browser: str | None, user: User, *, cause: Cause) -> bool:
        """Say whether a passkey of ``user`` answered. Raises ``StorageUnavailable``."""
        now = self._now()
        challenge = self._challenges.open(sealed, Purpose.CONFIRM, browser, user_id=user.id, now=now)
        used = None if challenge is None else await self._used(challenge, answer)
        if challenge is None or used is None or used.passkey.user_id != user.id:
            return False
        return await self._database.write(lambda tx: self._count(tx, challenge, used, now, cause))

    def made(self, sealed: str, answer: str, browser: str | None, user: User) -> tuple[Challenge, Passkey] | None:
        """Return the passkey that a browser made, not stored yet; None where its answer does not fit."""
        from doorward.accounts import ceremonies  # noqa: PLC0415

        now = self._now()
        challenge = self._challenges.open(sealed, Purpose.ADD, browser, user_id=user.id, now=now)
        said = _said(answer)
        if challenge is None or said is None:
            return None
        made = ceremonies.made(self._site, challenge.text, said)
        if made is None:
            return None
        return challenge, Passkey(
            id=f"pk_{base64url(self._entropy(_ID_BYTES))}",
            user_id=user.id,
            credential_id=made.credential_id,
            public_key=made.public_key,
            sign_count=made.sign_count,
            transports=_transports(said),
            name=_NAMELESS,
            created_at=now,
        )

    async def _used(self, challenge: Challenge, answer: str) -> _Used | None:
        from doorward.accounts import ceremonies  # noqa: PLC0415

        said = _said(answer)
        name = None if said is None else said.get("id")
        if said is None or not isinstance(name, str) or not name.isascii():
            return None
        passkey = await self._database.read(lambda reader: stored.passkey_by_credential(reader, name))
        if passkey is None or passkey.disabled_at is not None or _handle(said) != passkey.user_id:
            return None
        sign_count = ceremonies.proven(self._site, challenge.text, passkey, said)
        return None if sign_count is None else _Used(passkey=passkey, sign_count=sign_count)

    def _count(self, tx: Transaction, challenge: Challenge, used: _Used, now: Instant, cause: Cause | None) -> bool:
        """Take an answer once. A counter that did not go on means two of it: then it lets nobody in any more."""
        passkey = used.passkey
        if not self._challenges.claim(tx, challenge, now):
            return False
        if stored.use_passkey(tx, passkey.id, sign_count=used.sign_count, now=now):
            return True
        if stored.disable_passkey(tx, passkey.id, now):
            audit.record(
                tx, name="passkey:copied", at=now, subject=passkey.id, detail={"owner": passkey.user_id}, cause=cause
            )
            notices.tell(tx, passkey.user_id, notices.PASSKEY_COPIED, passkey.id, {"passkey": passkey.name}, now=now)
        return False


def add(
    tx: Transaction, challenge: Challenge, passkey: Passkey, *, name: str, cause: Cause | None, now: Instant
) -> bool:  # fmt: skip
    """Store a new passkey under a name. False where the answer was taken before, it is known, or there are too many."""
    known = stored.passkeys_of_user(tx, passkey.user_id) if _held(tx, passkey.user_id) else []
    if len(known) >= MOST or not Challenges.claim(tx, challenge, now):
        return False
    try:
        stored.insert_passkey(tx, _named(passkey, name))
    except Conflict:
        return False
    audit.record(
        tx, name="passkey:added", at=now, actor_id=passkey.user_id, subject=passkey.id, cause=cause
    )  # fmt: skip
    return True


def rename(tx: Transaction, user: User, passkey_id: str, name: str) -> bool:
    """Give a passkey another name. False where it is none of theirs, or that cannot be a name."""
    return is_plain_name(name) and stored.rename_passkey(tx, user.id, passkey_id, name.strip())


def remove(tx: Transaction, user: User, passkey_id: str, *, cause: Cause | None, now: Instant) -> bool:
    """Delete a passkey. False where it is none of theirs. Raises ``OnlyWayIn``."""
    held = accounts.changing_user(tx, user.id)
    theirs = stored.passkeys_of_user(tx, user.id)
    left = [each for each in theirs if each.id != passkey_id]
    if held is None or len(left) == len(theirs):
        return False
    if not can_still_come(tx, held, identities.identities_of_user(tx, user.id), left):
        raise OnlyWayIn
    if not stored.remove_passkey(tx, user.id, passkey_id):
        return False
    audit.record(tx, name="passkey:removed", at=now, actor_id=user.id, subject=passkey_id, cause=cause)
    return True


def _held(tx: Transaction, user_id: UserId) -> bool:
    # Nobody who is being deleted gets one more.
    return accounts.changing_user(tx, user_id) is not None


def _named(passkey: Passkey, name: str) -> Passkey:
    return replace(passkey, name=name.strip() if is_plain_name(name) else _NAMELESS)


def _said(answer: str) -> dict[str, Any] | None:
    if len(answer) > MAX_ANSWER:
        return None
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and isinstance(said.get("response"), dict) else None


def _handle(said: dict[str, Any]) -> str | None:
    """Return whom the authenticator takes the passkey for: discoverable ones always say it (WebAuthn section 7.2)."""
    handle = said["response"].get("userHandle")
    try:
        return from_base64url(handle).decode() if isinstance(handle, str) else None
    except ValueError:
        return None


def _transports(said: dict[str, Any]) -> tuple[str, ...]:
    found = said["response"].get("transports")
    return tuple(sorted(_TRANSPORTS.intersection(each for each in found if isinstance(each, str)))) if isinstance(
        found, list
    ) else ()  # fmt: skip
