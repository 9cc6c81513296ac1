"""What an argument names: a tenant, a user, a server. Each raises ``CommandFailed``, with the way to make one."""

from doorward.accounts.sign_in import normal_email
from doorward.cli.errors import CommandFailed
from doorward.model import Server, Tenant, User, UserId
from doorward.storage import accounts, servers
from doorward.storage.database import Reader

_SHOWN = 80
"""Characters of what was typed that are shown again."""


def tenant_of(reader: Reader, slug: str) -> Tenant:
    """Return the tenant with this slug."""
    found = accounts.tenant_by_slug(reader, slug)
    if found is None:
        raise CommandFailed(f"there is no tenant {slug[:_SHOWN]!r}. `doorward apply` makes tenants.")
    return found


def user_of(reader: Reader, name: str) -> User:
    """Return the user of an address or id: a person or a service account, and not deleted."""
    email = normal_email(name)
    found = accounts.user_by_email(reader, email) if email else None
    found = found or accounts.user_by_id(reader, UserId(name))
    if found is None or found.deleted_at is not None:
        raise CommandFailed(f"there is no user {name[:_SHOWN]!r}. Look at `doorward user list`.")
    return found


def server_of(reader: Reader, slug: str) -> Server:
    """Return the server with this slug."""
    found = servers.server_by_slug(reader, slug)
    if found is None:
        raise CommandFailed(f"there is no server {slug[:_SHOWN]!r}. `doorward servers status` knows them.")
    return found
