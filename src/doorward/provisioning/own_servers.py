"""The use cases of servers that a tenant adds for itself: on a page, over the API or at the command line (F2; L19).

Whoever may is asked here, inside the transaction that changes. Where such a server may be is judged when it is
connected to (``gateway.outside``), and nowhere before: a form that told would let people ask about networks of ours.
"""

from dataclasses import replace

from doorward import audit
from doorward.accounts.actors import Actor
from doorward.credentials import upstream_secrets
from doorward.model import AuthKind, Entropy, Instant, Server, ServerId, Status, Tenant, UpstreamCredential, Vetting
from doorward.policy.rules import OWN_PERMISSIONS
from doorward.protocol import faults
from doorward.protocol.endpoints import own_path
from doorward.protocol.errors import PageError
from doorward.protocol.faults import Fault
from doorward.provisioning.names import paths_clash, server_slug_ok
from doorward.provisioning.own_server_wish import Invalid, Wish, checked, origin
from doorward.rights import MANAGE_SERVERS, may
from doorward.storage import permissions, servers
from doorward.storage import upstream_secrets as stored_secrets
from doorward.storage.database import Reader, Transaction
from doorward.vault import Sealer

MOST = 50
"""Of one tenant."""
_ID_BYTES = 12


class ServerRefused(PageError):  # noqa: N818  (an answer)
    """Nothing was changed. ``field`` is the one of the wish that is wrong, '' where it is none of them."""

    def __init__(self, fault: Fault, *, reason: str, field: str = "", status: int = 422) -> None:
        # What is wrong with a field is for whoever filled it in, so it is public.
        super().__init__(fault, reason=reason, public=reason if field else None)
        self.field = field
        self.status = status


def add(  # noqa: PLR0913
    tx: Transaction, tenant: Tenant, wish: Wish, actor: Actor, *, sealer: Sealer, entropy: Entropy, now: Instant,
    allowed: bool = True,
) -> Server:  # fmt: skip
    """Add a server. Its tools wait until somebody of the tenant allows them. Raises ``ServerRefused``."""
    tx.lock_tenant(tenant.id, for_rights=True)
    require_may(tx, tenant, actor)
    if not allowed:
        raise ServerRefused(faults.OWN_SERVERS_CLOSED, reason="own_servers.allowed is off", status=403)
    _valid(wish, new=True)
    if len(servers.own_servers(tx, tenant.id)) >= MOST:
        raise ServerRefused(faults.OWN_SERVERS_MANY, reason=f"{MOST} servers already", status=409)
    slug, path = slug_of(tenant, wish.name), own_path(tenant.slug, wish.name)
    if not server_slug_ok(slug) or _taken(tx, slug, path):
        raise _wrong("name", "There is such a server already, or the name is too long. Choose another name")
    server = _made(
        Server(
            id=ServerId(f"srv_{entropy(_ID_BYTES).hex()}"), slug=slug, name="", paths=(path,), upstream="",
            new_tools=Vetting.HOLD, changed_tools=Vetting.HOLD, tenant_id=tenant.id,
        ),
        wish,
    )  # fmt: skip
    _know_permissions(tx)
    servers.put_server(tx, server)
    _keep_secret(tx, server, wish, sealer=sealer, entropy=entropy, now=now)
    _record(tx, "own_server:added", tenant, server, actor, now)
    return server


def change(  # noqa: PLR0913
    tx: Transaction, tenant: Tenant, slug: str, wish: Wish, actor: Actor, *, sealer: Sealer, entropy: Entropy,
    now: Instant,
) -> Server:  # fmt: skip
    """Change title, address and credential; the name stays. Raises ``ServerRefused``.

    A credential that is kept is never sent to another origin than the one it was typed for: nobody reads it by
    changing the address. What tools are there is looked at anew then.
    """
    tx.lock_tenant(tenant.id, for_rights=True)
    server = own_server(tx, tenant, slug, actor)
    _valid(wish, new=False)
    made = _made(server, wish)
    moved = origin(made.upstream) != origin(server.upstream)
    needs = secret_name(made) is not None
    if needs and not wish.secret and (moved or secret_name(server) is None or _shown_as(made) != _shown_as(server)):
        raise _wrong("secret", "Type the credential: the one that is kept is for another address or header")
    servers.put_server(tx, made)
    if moved:
        servers.forget_tools(tx, server.id)
    if not needs:
        stored_secrets.remove_secret(tx, _secret(server))
    _keep_secret(tx, made, wish, sealer=sealer, entropy=entropy, now=now)
    _record(tx, "own_server:changed", tenant, made, actor, now)
    return made


def set_status(tx: Transaction, tenant: Tenant, slug: str, status: Status, actor: Actor, *, now: Instant) -> Server:
    """Disable a server or enable it again, from the next call on. Raises ``ServerRefused``."""
    tx.lock_tenant(tenant.id, for_rights=True)
    server = own_server(tx, tenant, slug, actor)
    if server.status is not status:
        servers.put_server(tx, replace(server, status=status))
        _record(tx, "own_server:changed", tenant, server, actor, now, status=status.value)
    return server


def remove(tx: Transaction, tenant: Tenant, slug: str, actor: Actor, *, now: Instant) -> None:
    """Remove a server with its credential, its overrides and all that was said of its tools. Raises ``ServerRefused``."""
    tx.lock_tenant(tenant.id, for_rights=True)
    server = own_server(tx, tenant, slug, actor)
    stored_secrets.remove_secret(tx, _secret(server))
    servers.remove_server(tx, tenant.id, server.id, now)
    _record(tx, "own_server:removed", tenant, server, actor, now)


def own_server(reader: Reader, tenant: Tenant, slug: str, actor: Actor) -> Server:
    """Return the tenant's own server for whoever may change it.

    Raises ``ServerRefused``: in the same words for one that is not there and one of another tenant (M1).
    """
    require_may(reader, tenant, actor)
    server = servers.server_by_slug(reader, slug)
    if server is None or server.id not in servers.servers_of_tenant(reader, tenant.id):
        raise ServerRefused(faults.SERVER_NOT_HERE, reason=f"no server {slug[:80]!r} in {tenant.slug}", status=404)
    if server.tenant_id != tenant.id:
        raise ServerRefused(faults.SERVER_OF_OPERATOR, reason=f"{slug} is declared", status=409)
    return server


def require_may(reader: Reader, tenant: Tenant, actor: Actor) -> None:
    """Raise ``ServerRefused`` unless ``actor`` may look after the tenant's servers; the operator may."""
    if actor.user_id is None:
        return
    within = actor.limit is None or MANAGE_SERVERS in actor.limit
    if not within or not may(reader, tenant.id, actor.user_id, MANAGE_SERVERS):
        raise ServerRefused(faults.NOT_PERMITTED, reason=f"no {MANAGE_SERVERS} in {tenant.slug}", status=403)


def slug_of(tenant: Tenant, name: str) -> str:
    """Return the slug of a tenant's own server: it begins with a letter, and no two tenants' meet.

    No slug of a tenant has an underscore, and no name begins with one.
    """
    return f"{'' if tenant.slug[0].isalpha() else 't__'}{tenant.slug}_{name}"


def secret_name(server: Server) -> str | None:
    """Return under which name the credential of a server is kept; None where it has none."""
    return server.auth.secret if server.auth is not None and server.auth.secret else None


def _secret(server: Server) -> str:
    # No operator's secret has a slash in its name, and no tenant chooses the name.
    return f"own/{server.id}"


def _made(base: Server, wish: Wish) -> Server:
    return replace(base, name=wish.title.strip(), upstream=wish.url, auth=_auth(base, wish))


def _auth(base: Server, wish: Wish) -> UpstreamCredential | None:
    if wish.auth is None:
        return None
    secret = _secret(base) if wish.auth in {AuthKind.BEARER, AuthKind.HEADER} else ""
    header = wish.header.strip().lower() if wish.auth is AuthKind.HEADER else ""
    return UpstreamCredential(kind=wish.auth, secret=secret, header=header)


def _shown_as(server: Server) -> tuple[object, str]:
    return (None, "") if server.auth is None else (server.auth.kind, server.auth.header)


def _taken(tx: Transaction, slug: str, path: str) -> bool:
    everything = servers.all_servers(tx)
    return any(each.slug == slug or any(paths_clash(path, its) for its in each.paths) for each in everything)


def _know_permissions(tx: Transaction) -> None:
    known = {entry.permission for entry in permissions.catalogue(tx)}
    permissions.put_catalogue(tx, [entry for entry in OWN_PERMISSIONS if entry.permission not in known])


def _keep_secret(
    tx: Transaction, server: Server, wish: Wish, *, sealer: Sealer, entropy: Entropy, now: Instant
) -> None:
    name = secret_name(server)
    if name is not None and wish.secret:
        sealed = upstream_secrets.seal_own(name, wish.secret, sealer=sealer, entropy=entropy)
        stored_secrets.put_secret(tx, name, sealed, now)


def _valid(wish: Wish, *, new: bool) -> None:
    try:
        checked(wish, new=new)
    except Invalid as wrong:
        raise _wrong(wrong.field, str(wrong)) from wrong


def _wrong(field: str, words: str) -> ServerRefused:
    return ServerRefused(faults.OWN_SERVER_INVALID, reason=words, field=field)


def _record(
    tx: Transaction, name: str, tenant: Tenant, server: Server, actor: Actor, now: Instant, **more: str
) -> None:
    audit.record(
        tx, name=name, at=now, tenant_id=tenant.id, actor_id=actor.user_id, subject=server.slug,
        detail={"by": actor.by, "upstream": server.upstream, **more}, cause=actor.cause,
    )  # fmt: skip
