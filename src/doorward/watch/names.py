"""What people call the things that rows name by their ids."""

from collections.abc import Callable
from dataclasses import dataclass

from doorward.model import ApiKeyId, ClientId, ConnectionId, TenantId, UserId
from doorward.storage import accounts, api_keys, clients, connections, servers
from doorward.storage.database import Reader


@dataclass(frozen=True, slots=True)
class Named:
    """What an id is called, and what tells it from another of the same name."""

    label: str
    detail: str = ""


class Names:
    """Looks each id up once. What is gone is called by its id. Without a tenant things of every tenant have names."""

    def __init__(self, reader: Reader, tenant_id: TenantId | None) -> None:
        self._reader, self._tenant_id = reader, tenant_id
        self._known: dict[tuple[str, str], Named] = {}
        self._servers: dict[str, str] | None = None

    def user(self, user_id: str) -> Named:
        """Return a person's name and address."""
        return self._once("user", user_id, self._user)

    def client(self, client_id: str) -> Named:
        """Return what a client calls itself, and its id."""
        return self._once("client", client_id, self._client)

    def key(self, key_id: str) -> Named:
        """Return the name of an API key of this tenant, and what it begins with."""
        return self._once("key", key_id, self._key)

    def connection(self, connection_id: str) -> Named:
        """Return the client of a connection of this tenant."""
        return self._once("connection", connection_id, self._connection)

    def server(self, server_id: str) -> str:
        """Return the slug of a server."""
        if self._servers is None:
            self._servers = {server.id: server.slug for server in servers.all_servers(self._reader)}
        return self._servers.get(server_id, server_id)

    def credential(self, kind: str, credential_id: str) -> Named:
        """Return what a call came with."""
        match kind:
            case "api_key":
                return self.key(credential_id)
            case "access_token":
                return self.connection(credential_id)
            case _:
                return Named(credential_id)

    def _once(self, kind: str, value: str, look: Callable[[str], Named]) -> Named:
        found = self._known.get((kind, value))
        if found is None:
            found = self._known[kind, value] = look(value)
        return found

    def _user(self, user_id: str) -> Named:
        user = accounts.user_by_id(self._reader, UserId(user_id))
        return Named(user_id) if user is None else Named(user.name, user.email)

    def _client(self, client_id: str) -> Named:
        client = clients.client_by_id(self._reader, ClientId(client_id))
        return Named(client_id) if client is None else Named(client.name, client_id)

    def _key(self, key_id: str) -> Named:
        key = api_keys.api_key_anywhere(self._reader, ApiKeyId(key_id))
        return Named(key_id) if key is None or self._foreign(key.tenant_id) else Named(key.name, key.prefix)

    def _connection(self, connection_id: str) -> Named:
        found = connections.connection_by_id(self._reader, ConnectionId(connection_id))
        if found is None or self._foreign(found.tenant_id):
            return Named(connection_id)
        return Named(self.client(found.client_id).label, connection_id)

    def _foreign(self, tenant_id: TenantId) -> bool:
        return self._tenant_id is not None and tenant_id != self._tenant_id
