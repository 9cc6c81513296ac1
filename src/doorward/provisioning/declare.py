"""Declare one server, and enable it for every tenant: what ``doorward serve --stdio`` asks for."""

import json
from collections.abc import Mapping
from typing import Any

from doorward.credentials.secret import Fingerprinter
from doorward.model import Entropy, Instant
from doorward.provisioning.apply import execute
from doorward.provisioning.parse import parse
from doorward.provisioning.reading import read_json
from doorward.storage import accounts, servers
from doorward.storage.database import Transaction


def declare_for_all(
    tx: Transaction, declared: Mapping[str, Any], *, now: Instant, entropy: Entropy, fingerprinter: Fingerprinter
) -> None:
    """Apply a server's declaration; nothing where all is so already. Raises ``DocumentError``."""
    slugs = {server.id: server.slug for server in servers.all_servers(tx)}
    tenants = []
    for tenant in accounts.all_tenants(tx):
        enabled = {slugs[server_id] for server_id in servers.declared_servers_of_tenant(tx, tenant.id)}
        tenants.append({"slug": tenant.slug, "servers": sorted(enabled | {declared["slug"]})})
    document = parse(read_json(json.dumps({"servers": [declared], "tenants": tenants})))
    execute(tx, document, {}, now=now, entropy=entropy, fingerprinter=fingerprinter)
