"""Tables that belong to the database itself."""

from doorward.storage.schema.columns import number, table, text

meta = table("meta", text("name", key=True), text("value"), rowid=False)

revisions = table("revisions", text("scope", key=True), number("value"), rowid=False)
"""``scope`` is a tenant's id, or empty for the global revision. Random values, compared by equality."""
