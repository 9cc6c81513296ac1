"""``doorward keys``: the keys that sign tokens, seen and changed by hand. Running servers follow by themselves."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.expiry import in_words
from doorward.cli.options import about, deployment, settings_of, with_core
from doorward.credentials import key_rotation
from doorward.credentials.key_rotation import KeyRefused
from doorward.credentials.signing_keys import ALGORITHMS
from doorward.storage import keys as stored

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.credentials.signing_keys import SigningKeys
    from doorward.model import Instant
    from doorward.storage.keys import SigningKeyRow


@click.group(epilog="Example: doorward keys list")
def keys() -> None:
    """Show, follow up and revoke the keys that sign tokens."""


@keys.command(name="list", epilog="Example: doorward keys list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_keys(*, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Say which keys there are, oldest first, and what each is good for."""

    async def use(core: "Core") -> list[dict[str, Any]]:
        rows, ring = await core.database.read(stored.signing_keys), core.keys.current()
        return [_described(row, ring) for row in rows]

    found = with_core(settings_of(config, data), use)
    if as_json:
        print(json.dumps({"keys": found}))
        return
    for each in found:
        until = f", published {each['until']}" if each["until"] else ""
        print(f"{each['kid']}  {each['algorithm']}  {each['state']}{until}")


@keys.command(epilog="Example: doorward keys rotate --algorithm ES256")
@click.option("--algorithm", type=click.Choice(ALGORITHMS), help="Only this one; both otherwise.")
@click.option("--now", "at_once", is_flag=True, help="Sign with it at once; who caches the key set may lag a minute.")
@deployment
def rotate(*, algorithm: str | None, at_once: bool, config: Path | None, data: Path | None) -> None:
    """Announce a new key; it begins to sign after `keys.announce`, and the old one stays published."""

    async def use(core: "Core") -> "list[tuple[str, Instant | None]]":
        from doorward.bootstrap.core import overlap_of  # noqa: PLC0415  (only what touches data loads it)

        overlap = overlap_of(core.settings)
        if at_once:
            overlap = key_rotation.Overlap(before=0, after=overlap.after)
        done = []
        for each in [algorithm] if algorithm else ALGORITHMS:
            fresh = key_rotation.draw(each, sealer=core.sealer, entropy=core.entropy)
            announce = partial(key_rotation.rotate, fresh=fresh, overlap=overlap, now=core.now())
            begins = await core.database.write(announce)
            done.append((fresh.kid, begins))
        return done

    for kid, begins in _or_failed(settings_of(config, data), use):
        if begins is None:
            raise CommandFailed("a running server announced a key at this moment. Look at `doorward keys list`.")
        print(f"{kid} signs {in_words(begins).replace('until', 'from')}.")


@keys.command(epilog="Example: doorward keys revoke 4sbn0WqHhC3x")
@about(kid="KID")
def revoke(*, kid: str, config: Path | None, data: Path | None) -> None:
    """Take the key KID out at once: everything that it signed is refused from the next call on, on every node."""

    async def use(core: "Core") -> str | None:
        algorithm = await core.database.read(lambda reader: key_rotation.algorithm_of(reader, kid))
        spare = key_rotation.draw(algorithm, sealer=core.sealer, entropy=core.entropy)
        return await core.database.write(lambda tx: key_rotation.revoke(tx, kid, spare=spare, now=core.now()))

    heir = _or_failed(settings_of(config, data), use)
    print(f"{kid} is out. Clients refresh their tokens by themselves.")
    if heir is not None:
        print(f"{heir} signs in its place.")


def _described(row: "SigningKeyRow", ring: "SigningKeys") -> dict[str, Any]:
    state = ring.state(row.kid)
    until = None if row.verifies_until is None else in_words(row.verifies_until)
    gone = "revoked" if row.revoked_at is not None else "gone"
    return {"kid": row.kid, "algorithm": row.algorithm, "state": gone if state is None else state.value, "until": until}


def _or_failed(settings: Any, use: Any) -> Any:
    try:
        return with_core(settings, use)
    except KeyRefused as wrong:
        raise CommandFailed(str(wrong)) from wrong
