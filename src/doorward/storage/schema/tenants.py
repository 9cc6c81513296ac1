"""Users, tenants, roles and the tree."""

import sqlalchemy as sa

from doorward.storage.schema.columns import number, refers, table, text

users = table(
    "users",
    text("id", key=True),
    text("email"),
    text("name"),
    text("kind"),
    text("status"),
    number("created_at"),
    number("deleted_at", null=True),
    text("password_hash", null=True),
    sa.UniqueConstraint("email"),
)

tenants = table(
    "tenants",
    text("id", key=True),
    text("slug"),
    text("name"),
    number("access_ttl", null=True),
    text("rates"),
    text("sign_in_methods", null=True),
    text("key_policy"),
    text("status"),
    number("created_at"),
    sa.UniqueConstraint("slug"),
)

memberships = table(
    "memberships",
    refers("tenant_id", "tenants.id", key=True),
    refers("user_id", "users.id", key=True),
    sa.Index(None, "user_id"),
    rowid=False,
)

roles = table(
    "roles",
    text("id", key=True),
    refers("tenant_id", "tenants.id"),
    text("name"),
    number("built_in"),
    sa.UniqueConstraint("tenant_id", "name"),
)

role_permissions = table(
    "role_permissions",
    refers("role_id", "roles.id", key=True, cascade=True),
    text("permission", key=True),
    refers("tenant_id", "tenants.id"),
    rowid=False,
)

role_bindings = table(
    "role_bindings",
    text("tenant_id", key=True),
    text("user_id", key=True),
    refers("role_id", "roles.id", key=True, cascade=True),
    sa.ForeignKeyConstraint(
        ["tenant_id", "user_id"], ["memberships.tenant_id", "memberships.user_id"], ondelete="CASCADE"
    ),
    sa.Index(None, "role_id"),
    rowid=False,
)

role_placements = table(
    "role_placements",
    text("tenant_id", key=True),
    text("user_id", key=True),
    refers("role_id", "roles.id", key=True, cascade=True),
    refers("resource_id", "resources.id", key=True, cascade=True),
    sa.ForeignKeyConstraint(
        ["tenant_id", "user_id"], ["memberships.tenant_id", "memberships.user_id"], ondelete="CASCADE"
    ),
    sa.Index(None, "role_id"),
    sa.Index(None, "resource_id"),
    rowid=False,
)
"""Roles bound at a node of the tree: they hold there and below. A node that is removed takes them along."""

permission_catalogue = table(
    "permission_catalogue",
    text("permission", key=True),
    text("words"),
    number("is_default"),
    number("destructive"),
    rowid=False,
)

resources = table(
    "resources",
    text("id", key=True),
    refers("tenant_id", "tenants.id"),
    text("type"),
    text("key"),
    text("name"),
    refers("parent_id", "resources.id", null=True, cascade=True),
    sa.UniqueConstraint("tenant_id", "type", "key"),
    sa.Index(None, "parent_id"),
)

pushed_trees = table("pushed_trees", refers("tenant_id", "tenants.id", key=True), number("since"), rowid=False)
"""Tenants whose tree a product pushes, and since when."""
