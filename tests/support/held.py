"""What somebody holds besides their ways in: a key and a connected app."""

from dataclasses import replace

from doorward.model import User
from doorward.storage import api_keys, clients, connections
from doorward.storage.database import Reader, Transaction
from support.rows import CLIENT, CONNECTION, KEY


def hold_something(tx: Transaction, user: User) -> None:
    """Have a user hold a key and a connected app."""
    clients.insert_client(tx, CLIENT, canonical_key=None, secret_fingerprint=None)
    connections.insert_connection(tx, replace(CONNECTION, user_id=user.id))
    api_keys.insert_api_key(tx, replace(KEY, user_id=user.id))


def still_held(reader: Reader, user: User) -> list[str]:
    """Return the ids of those that are not ended."""
    keys = api_keys.api_keys_of_user(reader, user.id)
    apps = connections.connections_of_user(reader, user.id)
    return [
        *(each.id for each in keys if each.revoked_at is None),
        *(each.id for each in apps if each.revoked_at is None),
    ]
