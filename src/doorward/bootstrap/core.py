"""Settings become what every command needs: clock, entropy, storage and keys."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from doorward.accounts.passwords import PasswordPool
from doorward.credentials import key_rotation
from doorward.credentials.issuer import TokenIssuer
from doorward.credentials.key_ring import KeyRing
from doorward.credentials.key_rotation import Overlap
from doorward.credentials.secret import Fingerprinter, derive
from doorward.credentials.signing_keys import ALGORITHMS
from doorward.model import Entropy, Instant
from doorward.settings import Settings, SettingsError
from doorward.storage import keys as stored_keys
from doorward.storage.database import Database, Reader, Transaction
from doorward.storage.keys import SigningKeyRow
from doorward.storage.opening import open_database
from doorward.vault import Sealer

KEY_BYTES: Final = 32
NO_OVERLAP: Final = Overlap(before=0, after=0)
_KEY_CHECK: Final = "key_check"


def clock() -> Instant:
    """Return the present moment."""
    return Instant(time.time_ns() // 1000)


def ticks() -> int:
    """Return microseconds of a clock that nobody sets, since some moment."""
    return time.monotonic_ns() // 1000


def entropy(count: int) -> bytes:
    """Return ``count`` unpredictable bytes."""
    return os.urandom(count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What every command needs, whether it serves or only changes something."""

    settings: Settings
    database: Database
    now: Callable[[], Instant]
    entropy: Entropy
    fingerprinter: Fingerprinter
    sealer: Sealer
    master_key: bytes
    passwords: PasswordPool
    keys: KeyRing

    async def close(self) -> None:
        """Let go of the database and of the password threads."""
        self.passwords.close()
        await self.database.close()


async def open_core(settings: Settings, *, create: bool) -> Core:
    """Open data directory, key file and database; with ``create`` they are made where they are missing.

    Raises ``SettingsError`` where something is missing or does not belong together.
    """
    master = read_master_key(settings.key_file, create=create)
    database = open_database(settings.database_url, create=create)
    sealer, fingerprinter = Sealer(derive(master, "vault")), Fingerprinter(derive(master, "fingerprint"))
    try:
        known = await database.read(lambda reader: _known(reader, fingerprinter, settings.key_file))
        if not known:
            fresh = [key_rotation.draw(each, sealer=sealer, entropy=entropy) for each in ALGORITHMS]
            await database.write(lambda tx: _first_keys(tx, fresh, fingerprinter))
        wanting = await database.read(key_rotation.missing)
        keys = KeyRing(database=database, sealer=sealer, now=clock)
        await keys.refresh()
    except BaseException:
        await database.close()
        raise
    if wanting:
        await database.close()
        raise SettingsError(f"the database holds no {wanting[0]} key to sign with. Restore it from a backup.")
    return Core(
        settings=settings,
        database=database,
        now=clock,
        entropy=entropy,
        fingerprinter=fingerprinter,
        sealer=sealer,
        master_key=master,
        passwords=PasswordPool(max_workers=settings.passwords.workers, queue_limit=settings.passwords.queue),
        keys=keys,
    )


def read_master_key(path: Path, *, create: bool) -> bytes:
    """Return the 32 bytes of the key file. Raises ``SettingsError`` where it is missing, open to others or damaged."""
    if create and not path.exists():
        _write_private(path, entropy(KEY_BYTES).hex() + "\n")
    try:
        text, mode = path.read_text(encoding="ascii").strip(), path.stat().st_mode
    except (OSError, UnicodeDecodeError) as wrong:
        raise SettingsError(f"{path}: no key file. Run `doorward init`, or name the right data directory.") from wrong
    if mode & 0o077:
        raise SettingsError(f"{path}: others on this machine can read it. Run `chmod 600 {path}`.")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or len(set(key)) < KEY_BYTES // 4:
        # N2: a placeholder or shortened key would make every fingerprint and seal guessable.
        raise SettingsError(f"{path}: not a key of ours. Restore it from a backup.")
    return key


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _known(reader: Reader, fingerprinter: Fingerprinter, key_file: Path) -> bool:
    """Say whether the database has been used. Raises ``SettingsError`` where it was with another key file."""
    known = stored_keys.meta(reader, _KEY_CHECK)
    if known is not None and known != fingerprinter.of(_KEY_CHECK):
        raise SettingsError(f"{key_file}: belongs to another database. Put the right key file beside this one.")
    return known is not None


def _first_keys(tx: Transaction, fresh: Sequence[SigningKeyRow], fingerprinter: Fingerprinter) -> None:
    # Two commands may start on an empty database at once: the row that was written first decides who makes the keys.
    if stored_keys.put_meta_once(tx, _KEY_CHECK, fingerprinter.of(_KEY_CHECK)):
        for each in fresh:
            key_rotation.rotate(tx, each, overlap=NO_OVERLAP, now=clock())


def issuer_of(core: Core) -> TokenIssuer:
    """Return what signs tokens."""
    return TokenIssuer(
        issuer=core.settings.public_url,
        keys=core.keys.current,
        refresh_keys={"1": derive(core.master_key, "refresh/1")},
    )


def overlap_of(settings: Settings) -> Overlap:
    """Return how long keys are published before and after they sign."""
    return Overlap(before=settings.keys.announce, after=settings.keys.keep)
