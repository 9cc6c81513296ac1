"""Our MCP server URLs: which path is which server and tenant, and the well-known paths that belong to each.

A server has path templates; ``{tenant}`` stands for a tenant's slug (feature A2). The short form has none: the
tenant is picked on the consent page, or is the API key's. A token for one form is not valid at the other (decision 0077.13).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from doorward.model import Server, ServerId, TenantId

TENANT_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
RESERVED_SLUGS = frozenset({
    "api", "approvals", "authorize", "device", "device_authorization", "docs", "errors", "health", "introspect", "invitation", "jwks", "login", "logout", "mcp", "metrics", "oauth",
    "ready", "register", "revoke", "settings", "setup", "sign-in", "sign-out", "static", "token", "upstreams", "userinfo", "well-known",
})  # fmt: skip
"""First path segments of our own; a tenant with such a slug would shadow them."""
_OWN_PATH = re.compile(rf"/(?P<tenant>{TENANT_SLUG.pattern})/own/(?P<name>[a-z][a-z0-9-]{{0,30}})")
NO_SERVER = ServerId("")


def own_path(tenant_slug: str, name: str) -> str:
    """Return the path of a server that a tenant added for itself."""
    return f"/{tenant_slug}/own/{name}"


def own_name_ok(name: str) -> bool:
    """Say whether a server that a tenant adds may have this name."""
    return _OWN_PATH.fullmatch(own_path("x", name)) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One concrete MCP URL. ``url`` is the canonical ``resource`` (RFC 8707, RFC 9728) and the tokens' ``aud``."""

    server: Server
    tenant_slug: str | None
    path: str
    url: str

    @property
    def public_name(self) -> str:
        """The server's name for whoever asks; of a tenant's own no more than its path says."""
        return self.server.name if self.server.tenant_id is None else self.path.rpartition("/")[2]

    @property
    def server_id(self) -> ServerId:
        """The server's id, as tenants enable it."""
        return self.server.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """All servers of a deployment under one public origin (no trailing slash)."""

    public_url: str
    servers: Sequence[Server]

    def find(self, path: str) -> Endpoint | None:
        """Return the endpoint at an exact, undecoded URL path, or None.

        Tenants are matched by form only: whether the tenant exists is not said here, so that unknown ones answer like
        known ones (decision 0077.8).
        """
        for server in self.servers:
            for template in server.paths if server.tenant_id is None else ():
                slug = _slug_at(template, path)
                if slug is not None:
                    return Endpoint(server=server, tenant_slug=slug or None, path=path, url=self.public_url + path)

        return self._own(path)

    def _own(self, path: str) -> Endpoint | None:
        """Return an endpoint for a path that a tenant's own server could have, be there one or not (decision 0077.8)."""
        found = _OWN_PATH.fullmatch(path)
        if found is None or found["tenant"] in RESERVED_SLUGS:
            return None
        known = next((server for server in self.servers if server.tenant_id is not None and path in server.paths), None)
        server = known or Server(
            id=NO_SERVER, slug="own", name=found["name"], paths=(), upstream="", tenant_id=TenantId("")
        )
        return Endpoint(server=server, tenant_slug=found["tenant"], path=path, url=self.public_url + path)

    def by_url(self, url: str) -> Endpoint | None:
        """Return the endpoint whose canonical URL this is, byte for byte: ours, or one where a server stands itself."""
        prefix = self.public_url + "/"
        if url.startswith(prefix):
            return self.find(url[len(self.public_url) :])
        direct = (server for server in self.servers if server.direct == url)
        return next((Endpoint(server=server, tenant_slug=None, path=url, url=url) for server in direct), None)

    def short(self) -> Endpoint | None:
        """Return the first server's short URL: what root metadata describes (decision 0077.13)."""
        for server in self.servers:
            for template in server.paths if server.tenant_id is None else ():
                if "{tenant}" not in template:
                    return self.find(template)
        return None

    def of_tenant(self, server: Server, tenant_slug: str) -> Endpoint | None:
        """Return the tenant's own URL of a server, or its short URL where it has no other."""
        for template in sorted(server.paths, key=lambda t: "{tenant}" not in t):
            return self.find(template.replace("{tenant}", tenant_slug))
        return None


def _slug_at(template: str, path: str) -> str | None:
    """Return the slug in ``path`` ('' for a short form), or None where the template does not fit."""
    before, brace, after = template.partition("{tenant}")
    if not brace:
        return "" if path == template else None
    middle = path[len(before) : len(path) - len(after)] if len(path) > len(before) + len(after) else ""
    fits = path.startswith(before) and path.endswith(after) and TENANT_SLUG.fullmatch(middle)
    return middle if fits and middle not in RESERVED_SLUGS else None
