"""Fifty security changes a second beside a serving Doorward: roles in the measured tenant given and taken by a command.

Usage: ``python -m bench.changes CONFIG SECONDS``; prints how many were made.
"""

import asyncio
import sys
import time
from pathlib import Path

import uvloop

from bench.deployment import EMAIL, TENANT
from doorward.bootstrap.core import open_core
from doorward.settings import load
from doorward.storage import accounts, permissions

PER_SECOND = 50


async def main(config: Path, seconds: float) -> int:
    """Make changes at that pace; return how many."""
    core = await open_core(load(config), create=False)
    user = await core.database.read(lambda reader: accounts.user_by_email(reader, EMAIL))
    tenant = await core.database.read(lambda reader: accounts.tenant_by_slug(reader, TENANT))
    if user is None or tenant is None:
        return 0
    begun, made = time.perf_counter(), 0
    while (now := time.perf_counter() - begun) < seconds:
        # Owner throughout, so that every call is allowed; each change is a new revision of the tenant's rights.
        roles = ("owner",) if made % 2 else ("owner", "admin")
        await core.database.write(lambda tx: permissions.set_membership(tx, tenant.id, user.id, roles))  # noqa: B023
        made += 1
        await asyncio.sleep(max(0.0, made / PER_SECOND - now))
    await core.close()
    return made


if __name__ == "__main__":
    print(uvloop.run(main(Path(sys.argv[1]), float(sys.argv[2]))))
