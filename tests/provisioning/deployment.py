"""A real database with the passwords, clock and entropy that ``apply`` needs."""

import itertools
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any, TypeVar

from doorward.accounts.passwords import PasswordPool
from doorward.credentials.secret import Fingerprinter
from doorward.model import Instant
from doorward.policy.permission import expand
from doorward.provisioning.apply import Applied, check_passwords, execute, plan
from doorward.provisioning.document import Document
from doorward.provisioning.parse import parse
from doorward.provisioning.reading import read_json
from doorward.storage import accounts, permissions
from doorward.storage.database import Reader
from doorward.storage.opening import open_database

T = TypeVar("T")
NOW = Instant(1_800_000_000_000_000)


class Deployment:
    """One empty deployment; ``apply`` and ``plan`` take a document as plain data."""

    def __init__(self, url: str) -> None:
        self.database = open_database(url, create=True)
        self.passwords = PasswordPool(max_workers=1, queue_limit=8)
        self.fingerprinter = Fingerprinter(bytes(range(32)))
        self._counter = itertools.count()

    def entropy(self, count: int) -> bytes:
        return sha256(str(next(self._counter)).encode()).digest()[:count]

    async def apply(self, document: dict[str, Any], now: Instant = NOW) -> Applied:
        parsed = parsed_from(document)
        passwords = await check_passwords(self.database, parsed, self.passwords)
        return await self.database.write(
            lambda tx: execute(tx, parsed, passwords, now=now, entropy=self.entropy, fingerprinter=self.fingerprinter)
        )

    async def plan(self, document: dict[str, Any]) -> list[str]:
        parsed = parsed_from(document)
        passwords = await check_passwords(self.database, parsed, self.passwords)
        return (await self.read(lambda reader: plan(reader, parsed, passwords))).lines

    async def read(self, fn: Callable[[Reader], T]) -> T:
        return await self.database.read(fn)

    async def rights(self, email: str, slug: str) -> frozenset[str]:
        """What the person may do in the tenant, now."""

        def found(reader: Reader) -> frozenset[str]:
            user, tenant = accounts.user_by_email(reader, email), accounts.tenant_by_slug(reader, slug)
            assert user is not None
            assert tenant is not None
            catalogue = [entry.permission for entry in permissions.catalogue(reader)]
            return expand(permissions.role_permissions(reader, tenant.id, user.id), catalogue)

        return await self.read(found)

    async def close(self) -> None:
        self.passwords.close()
        await self.database.close()


def parsed_from(document: dict[str, Any]) -> Document:
    return parse(read_json(json.dumps(document)))
