"""What the gateway shows to an upstream: our identity token, a credential from the vault, or nothing (D6).

The same for every message, whatever its method (K16), and never the caller's own credential (L10).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from doorward.gateway.head import Header
from doorward.gateway.http_connection import UpstreamError, UpstreamFailure
from doorward.gateway.sessions import Identity
from doorward.model import AuthKind, Server

MAX_OPENED: Final = 1_000

OpenSecret = Callable[[str, str], str]
"""``open_secret(name, sealed)`` returns the value. Raises ``Unsealed``, a kind of ``Exception``."""


class UpstreamAuth:
    """``sealed`` returns the vault's values by name as they are now."""

    def __init__(self, sealed: Callable[[], Mapping[str, str]], open_secret: OpenSecret) -> None:
        self._sealed = sealed
        self._open_secret = open_secret
        self._opened: dict[tuple[str, str], str] = {}

    def header(self, server: Server, identity: Identity) -> Header | None:
        """Return the header that says who asks. Raises ``UpstreamFailure`` where its secret is not there."""
        auth = server.auth
        if auth is None:
            return b"authorization", b"Bearer " + identity.encode()
        if auth.kind is AuthKind.NONE:
            return None
        if auth.kind is AuthKind.OAUTH:
            # Each person's own, which is found elsewhere (``upstream_oauth``): nothing else may stand in for it.
            raise UpstreamFailure(UpstreamError.NOT_LINKED, "a person's own account is needed")
        value = self.secret(auth.secret).encode()
        return (b"authorization", b"Bearer " + value) if auth.kind is AuthKind.BEARER else (auth.header.encode(), value)

    def versions(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return texts that are others whenever one of these secrets is."""
        sealed = self._sealed()
        return tuple(sealed.get(name, "") for name in names)

    def secret(self, name: str) -> str:
        """Return a secret by its name. Raises ``UpstreamFailure`` where there is none that can be opened."""
        sealed = self._sealed().get(name)
        if sealed is None:
            raise UpstreamFailure(UpstreamError.CREDENTIAL, f"no secret {name}")
        known = self._opened.get((name, sealed))
        if known is None:
            try:
                known = self._open_secret(name, sealed)
            except Exception as wrong:  # whatever it is, it must neither be sent nor told
                raise UpstreamFailure(UpstreamError.CREDENTIAL, f"secret {name} cannot be opened") from wrong
            if len(self._opened) >= MAX_OPENED:
                self._opened.clear()
            self._opened[name, sealed] = known
        return known
