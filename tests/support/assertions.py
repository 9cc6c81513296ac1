"""Key pairs of clients, and the assertions they sign (RFC 7523), right and wrong."""

import base64
import hmac
import json
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class KeyPair:
    """One client's key and the algorithm that it signs with."""

    key: ECKey | RSAKey
    algorithm: str

    def public(self, kid: str | None = None) -> dict[str, str]:
        """Return the public half as a JWK."""
        half = self.key.as_dict(private=False)
        names = ("kty", "crv", "x", "y") if self.algorithm == "ES256" else ("kty", "n", "e")
        return {name: str(half[name]) for name in names} | ({} if kid is None else {"kid": kid})

    def pem(self) -> str:
        return self.key.as_pem(private=True).decode()

    def sign(self, claims: Any, **header: Any) -> str:
        """Return a compact JWS of whatever is given."""
        protected = {"alg": self.algorithm, "typ": "JWT"} | header
        return jws.serialize_compact(protected, encoded(claims), self.key, algorithms=[self.algorithm])


EC = KeyPair(ECKey.generate_key("P-256", private=True, auto_kid=False), "ES256")
RSA = KeyPair(RSAKey.generate_key(2048, private=True, auto_kid=False), "RS256")
STRANGER = KeyPair(ECKey.generate_key("P-256", private=True, auto_kid=False), "ES256")


def encoded(claims: Any) -> bytes:
    return claims if isinstance(claims, bytes) else json.dumps(claims).encode()


def unsigned(claims: Any, **header: Any) -> str:
    """Return a JWT of the algorithm ``none``, or of what ``header`` says, with something where the signature would be."""
    return f"{_signed_part(claims, {'alg': 'none'} | header)}.{_base64url(b'x')}"


def signed_with_the_public_key(claims: Any, pair: KeyPair) -> str:
    """Return a JWT of HS256 whose secret is the public key's text, as confused libraries take it."""
    text = _signed_part(claims, {"alg": "HS256"})
    return f"{text}.{_base64url(hmac.digest(pair.key.as_pem(private=False), text.encode(), 'sha256'))}"


def _signed_part(claims: Any, header: dict[str, Any]) -> str:
    return f"{_base64url(json.dumps(header).encode())}.{_base64url(encoded(claims))}"


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
