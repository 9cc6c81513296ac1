"""What is told of keys: what the API answers and the command line prints. Never more of a secret than its last four."""

from collections.abc import Iterable
from typing import Any

from doorward.credentials.key_expiry import moment
from doorward.model import ApiKey, Instant, ResourceId, TenantId, UserId
from doorward.policy.rules import ResourceTree
from doorward.storage import accounts, api_keys, permissions, servers
from doorward.storage.api_key_lists import KeyState, UsedKey
from doorward.storage.database import Reader


def state_of(key: ApiKey, now: Instant) -> KeyState:
    """Return what a key is in now; what ended it for good comes first."""
    if key.revoked_at is not None:
        return KeyState.REVOKED
    if key.expires_at is not None and key.expires_at <= now:
        return KeyState.EXPIRED
    return KeyState.ACTIVE if key.disabled_at is None else KeyState.DISABLED


class KeyViews:
    """Describes keys of one tenant, looking each name up once. Belongs to one read."""

    def __init__(self, reader: Reader, tenant_id: TenantId, now: Instant) -> None:
        self._reader = reader
        self._tenant_id = tenant_id
        self._now = now
        self._tree: ResourceTree | None = None
        self._slugs: dict[str, str] | None = None

    def described(self, used: UsedKey) -> dict[str, Any]:
        """Return a key as data; times are like ``2027-01-31T00:00:00Z``."""
        key = used.key
        old = api_keys.old_secrets_of_key(self._reader, key.id, self._now)
        return {
            "id": key.id,
            "name": key.name,
            "user": self._email(key.user_id),
            "state": state_of(key, self._now).value,
            "prefix": key.prefix,
            "last_four": key.last_four,
            "scopes": sorted(key.scopes),
            "resources": self._resources(key.resources),
            "servers": None if key.servers is None else sorted(map(self._slug, key.servers)),
            "addresses": list(key.networks),
            "created_at": moment(key.created_at),
            "created_by": self._email(key.created_by),
            "expires_at": _maybe(key.expires_at),
            "rotated_at": _maybe(key.rotated_at),
            "disabled_at": _maybe(key.disabled_at),
            "revoked_at": _maybe(key.revoked_at),
            "old_secrets": [{"last_four": each.last_four, "ends_at": moment(each.ends_at)} for each in old],
            "last_used": self._last_used(key),
            "calls_30_days": used.calls,
        }

    def _last_used(self, key: ApiKey) -> dict[str, str | None] | None:
        if key.last_used_at is None:
            return None
        return {"at": moment(key.last_used_at), "address": key.last_used_ip, "client": key.last_used_client}

    def _email(self, user_id: UserId) -> str | None:
        user = accounts.user_by_id(self._reader, user_id)
        return None if user is None else user.email

    def _resources(self, ids: Iterable[ResourceId] | None) -> list[dict[str, str]] | None:
        if ids is None:
            return None
        if self._tree is None:
            self._tree = ResourceTree(permissions.resources_of_tenant(self._reader, self._tenant_id))
        nodes = (self._tree.get(each) for each in ids)
        # One that was removed meanwhile gives nothing; the list stays one, for it never means the whole tenant.
        found = [{"type": node.type, "key": node.key} for node in nodes if node is not None]
        return sorted(found, key=lambda each: (each["type"], each["key"]))

    def _slug(self, server_id: str) -> str:
        if self._slugs is None:
            self._slugs = {server.id: server.slug for server in servers.all_servers(self._reader)}
        return self._slugs.get(server_id, server_id)


def _maybe(at: Instant | None) -> str | None:
    return None if at is None else moment(at)
