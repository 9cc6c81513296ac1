"""MCP servers, their rules, what tenants enabled and what they say beyond."""

import sqlalchemy as sa

from doorward.storage.schema.columns import number, refers, table, text

servers = table(
    "servers",
    text("id", key=True),
    text("slug"),
    text("name"),
    text("upstream"),
    text("stdio", null=True),
    text("direct", null=True),
    text("auth", null=True),
    number("builtin_tools"),
    text("new_tools"),
    text("changed_tools"),
    text("status"),
    # Who added it for themselves; null: the operator's, for whoever enables it.
    refers("tenant_id", "tenants.id", null=True),
    number("removed_at", null=True),
    sa.UniqueConstraint("slug"),
    sa.Index(None, "tenant_id"),
)

upstream_secrets = table(
    "upstream_secrets",
    text("name", key=True),
    text("sealed"),
    number("changed_at"),
    rowid=False,
)

server_paths = table(
    "server_paths",
    text("path", key=True),
    refers("server_id", "servers.id", cascade=True),
    number("position"),
    sa.Index(None, "server_id"),
    rowid=False,
)

tool_rules = table(
    "tool_rules",
    refers("server_id", "servers.id", key=True, cascade=True),
    number("position", key=True),
    text("kind"),
    text("match"),
    text("requires"),
    text("resources"),
    text("approval", null=True),
    rowid=False,
)

known_tools = table(
    "known_tools",
    refers("server_id", "servers.id", key=True, cascade=True),
    text("name", key=True),
    text("digest", key=True),
    number("first_seen"),
    text("annotations"),
    # All that its author says of it, for whoever reviews it; null where that is too long to be kept.
    text("definition", null=True),
    text("state"),
    text("reviewed_by", null=True),
    number("reviewed_at", null=True),
    rowid=False,
)
"""Every version of a tool that a server was seen to offer: the digest is of all that its author says of it."""

server_sightings = table(
    "server_sightings",
    refers("server_id", "servers.id", key=True, cascade=True),
    text("name"),
    text("version"),
    text("revision"),
    number("since"),
    text("before", null=True),
    rowid=False,
)
"""What each server was last seen to say of itself, since when, and in words what it said before."""

tenant_servers = table(
    "tenant_servers",
    refers("tenant_id", "tenants.id", key=True),
    refers("server_id", "servers.id", key=True),
    sa.Index(None, "server_id"),
    rowid=False,
)

tool_overrides = table(
    "tool_overrides",
    text("id", key=True),
    refers("tenant_id", "tenants.id"),
    number("position"),
    refers("server_id", "servers.id", cascade=True),
    text("kind"),
    text("match"),
    text("effect"),
    text("requires"),
    text("approval", null=True),
    text("subject"),
    # No reference: a role's name, or the id of a user, a key or a connection. Who is gone is denied nothing.
    text("subject_id"),
    sa.Index(None, "tenant_id", "position"),
    sa.Index(None, "server_id"),
)
"""What tenants say beyond the rules of their servers; see ``model.Override``."""
