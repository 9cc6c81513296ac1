"""The servers that a document declares, merged with the stored ones."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from doorward.model import RuleKind, Server, ServerId, Status
from doorward.provisioning.change import Change, Writing, differences
from doorward.provisioning.document import Document, ServerDeclared
from doorward.provisioning.names import paths_clash
from doorward.provisioning.parse_auth import check_accounts
from doorward.provisioning.reading import refuse
from doorward.storage import servers as stored_servers
from doorward.storage.database import Reader

DEFAULT_PATHS: Final = ("/mcp", "/{tenant}/mcp")
_WORDS: Final = {
    "name": "name", "upstream": "upstream", "status": "status", "paths": "paths", "rules": "rules",
    "builtin_tools": "built-in tools",
    "auth": "credential",
    "new_tools": "new tools",
    "changed_tools": "changed tools",
    "direct": "direct URL",
}  # fmt: skip


def merged_servers(reader: Reader, document: Document) -> list[Server]:
    """Return the servers that the document touches, as they will be.

    A disabled server gives up the paths that an active one takes. Raises ``DocumentError`` where two active servers
    would share a URL path.
    """
    merged = {declared.slug: _merged(reader, declared) for declared in document.servers}
    everything = {server.slug: server for server in stored_servers.all_servers(reader)} | merged
    active = [server for server in everything.values() if server.status is Status.ACTIVE]
    for declared in document.servers:
        _no_clash(declared, merged[declared.slug], active)
    taken = {path for server in active for path in server.paths}
    for slug, server in everything.items():
        if server.status is Status.DISABLED and not taken.isdisjoint(server.paths):
            merged[slug] = replace(server, paths=tuple(path for path in server.paths if path not in taken))
    return list(merged.values())


def plan_servers(reader: Reader, merged: Sequence[Server]) -> list[Change]:
    """Return what has to change for ``merged``."""
    changes = []
    for server in merged:
        stored = stored_servers.server_by_slug(reader, server.slug)
        if stored != server:
            words = f"add, upstream {server.upstream}" if stored is None else differences(stored, server, _WORDS)
            changes.append(
                Change(
                    text=f"server {server.slug}: {words}",
                    event="server:changed",
                    subject=server.slug,
                    run=partial(_put, server=server),
                )
            )
    return changes


def _merged(reader: Reader, declared: ServerDeclared) -> Server:
    stored = stored_servers.server_by_slug(reader, declared.slug)
    if stored is not None and stored.tenant_id is not None:
        refuse(declared.path, f"a tenant added server {declared.slug!r} for itself", "Choose another slug")
    if stored is None and declared.upstream is None:
        refuse(
            declared.path,
            f"server {declared.slug!r} is new and upstream is missing",
            "Add upstream, the server's URL, or its command",
        )
    base = stored or Server(
        id=ServerId(""), slug=declared.slug, name=declared.slug.capitalize(), paths=DEFAULT_PATHS, upstream=""
    )
    rules = {kind: tuple(rule for rule in base.rules if rule.kind is kind) for kind in RuleKind} | declared.rules
    # What a command was shown says nothing about a URL that comes in its place.
    becomes_url = base.stdio is not None and declared.upstream is not None and declared.stdio is None
    made = replace(
        base,
        name=base.name if declared.name is None else declared.name,
        paths=base.paths if declared.paths is None else declared.paths,
        upstream=base.upstream if declared.upstream is None else declared.upstream,
        auth=declared.auth if declared.auth_declared or becomes_url else base.auth,
        stdio=base.stdio if declared.upstream is None else declared.stdio,
        direct=base.direct if declared.direct is None else declared.direct or None,
        builtin_tools=base.builtin_tools if declared.builtin_tools is None else declared.builtin_tools,
        new_tools=declared.new_tools or base.new_tools,
        changed_tools=declared.changed_tools or base.changed_tools,
        status=base.status if declared.status is None else declared.status,
        # By kind, and within a kind in the order written: the first rule that fits is the rule, and kinds never mix.
        rules=tuple(rule for kind in RuleKind for rule in rules[kind]),
    )
    check_accounts(made, declared.path)
    return made


def _no_clash(declared: ServerDeclared, server: Server, active: Sequence[Server]) -> None:
    if server.status is not Status.ACTIVE:
        return
    for other in active:
        if other.slug != server.slug and server.direct is not None and other.direct == server.direct:
            # Whoever asks about a token for this URL would be two servers.
            refuse(declared.path, f"direct is also the URL of server {other.slug!r}", "Give it a URL of its own")
        for path in server.paths:
            if other.slug != server.slug and any(paths_clash(path, its) for its in other.paths):
                refuse(declared.path, f"path {path!r} is also one of server {other.slug!r}", "Give it paths of its own")


def _put(writing: Writing, server: Server) -> None:
    # A path that moves is another server's until that one is written too.
    for other in stored_servers.all_servers(writing.tx):
        kept = tuple(path for path in other.paths if path not in server.paths)
        if other.slug != server.slug and kept != other.paths:
            stored_servers.put_server(writing.tx, replace(other, paths=kept))
    stored_servers.put_server(writing.tx, server if server.id else replace(server, id=ServerId(writing.new_id("srv"))))
