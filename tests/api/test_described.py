"""Schemathesis asks the real program what its description promises, and everything that it forbids: all checks, clean."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from doorward.api.openapi import document
from doorward.api.table import ROUTES
from doorward.bootstrap.core import Core, open_core
from doorward.credentials.api_keys import create_api_key
from doorward.model import Permission
from doorward.policy.permission import expand
from doorward.provisioning.apply import execute
from doorward.provisioning.parse import parse
from doorward.provisioning.reading import read_json
from doorward.rights import ADMINISTRATION
from doorward.settings import ServerSettings, Settings
from doorward.storage import accounts
from doorward.storage.database import Transaction
from support.running_demo import free_port
from support.serving import serving

pytestmark = pytest.mark.requirement("F4")
DOCUMENT: dict[str, Any] = {
    "servers": [{
        "slug": "harbour", "paths": ["/mcp"], "upstream": "http://127.0.0.1:9/mcp",
        "tools": [{"match": "*", "requires": ["documents:read"]}],
    }],
    "permissions": ["documents:read", "documents:write", *map(str, ADMINISTRATION)],
    "users": [{"email": f"{name}@acme.example", "password": "correct horse battery"} for name in ("olga", "vera")],
    "tenants": [{
        "slug": "acme", "servers": ["harbour"],
        "roles": [{"name": "people", "permissions": ["members:*", "documents:read"]}],
        "resources": [{"type": "folder", "key": "f1"}],
        "members": [
            {"user": "olga@acme.example", "roles": ["owner"]}, {"user": "vera@acme.example", "roles": ["viewer"]},
        ],
    }],
}  # fmt: skip
ACCEPTED = ["2xx", "401", "403", "404", "409", "422", "429", "503"]
"""What data of the right shape may get: 422 for what names a role, a server or a day that is not there."""
CONFIG = f"""
[checks]
positive_data_acceptance.expected-statuses = {json.dumps(ACCEPTED)}

[parameters]
"path.slug" = "acme"
"path.server" = "harbour"
"path.user" = "vera@acme.example"
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    folder, port = tmp_path_factory.mktemp("described"), free_port()
    url = f"http://127.0.0.1:{port}"
    settings = replace(Settings(), data_dir=folder / "data", server=ServerSettings(public_url=url))
    key = asyncio.run(_filled(settings))
    config = folder / "doorward.toml"
    config.write_text(
        f'data_dir = "{folder / "data"}"\n[server]\npublic_url = "{url}"\nport = {port}\n[mail]\nmode = "console"\n'
    )
    with serving(config):
        yield url, key, folder


async def _filled(settings: Settings) -> str:
    core = await open_core(settings, create=True)
    try:
        return await core.database.write(lambda tx: _fill(tx, core))
    finally:
        await core.close()


def _fill(tx: Transaction, core: Core) -> str:
    execute(
        tx, parse(read_json(json.dumps(DOCUMENT))), {}, now=core.now(), entropy=os.urandom, fingerprinter=core.fingerprinter
    )  # fmt: skip
    olga, acme = accounts.user_by_email(tx, "olga@acme.example"), accounts.tenant_by_slug(tx, "acme")
    assert olga is not None
    assert acme is not None
    return create_api_key(
        tx, owner=olga, tenant=acme, created_by=olga.id, name="all", rights=expand(("*:*",), map(Permission, DOCUMENT["permissions"])),
        now=core.now(), entropy=os.urandom, fingerprinter=core.fingerprinter, scopes=None, resources=None, expires_at=None, cause=None,
    ).text  # fmt: skip


@pytest.mark.timeout(600)
def test_the_program_keeps_what_its_description_says(served: tuple[str, str, Path]) -> None:
    url, key, folder = served
    (folder / "schemathesis.toml").write_text(CONFIG, encoding="utf-8")
    described = document(ROUTES, url)
    # Both at once are refused, by decision: what is described is asked with a key.
    described["security"] = [{"key": []}]
    del described["components"]["securitySchemes"]["session"]
    (folder / "openapi.json").write_text(json.dumps(described), encoding="utf-8")
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "schemathesis.toml"), "run",
        str(folder / "openapi.json"), "--url", url, "--header", f"Authorization: Bearer {key}", "--checks", "all",
        "--phases", "examples,coverage,fuzzing", "--max-examples", os.environ.get("API_EXAMPLES", "5"), "--seed", "1",
        "--generation-database", "none", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
