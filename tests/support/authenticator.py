"""An authenticator in software (WebAuthn section 6): makes passkeys and signs with them, truly or as it is told to lie."""

import base64
import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw(encoded: str) -> bytes:
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


@dataclass
class Authenticator:
    """One passkey of one site, and the browser it is used in."""

    origin: str
    host: str
    name: bytes = b"credential-0001"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    count: int = 0
    flags: int = PRESENT | VERIFIED
    handle: str = ""

    def create(self, options: dict[str, Any], **lies: Any) -> str:
        """Return what ``navigator.credentials.create`` would answer, as the page sends it."""
        self.handle = options["user"]["id"]
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.name).to_bytes(2, "big") + self.name + cbor2.dumps(cose)
        data = self._data(ATTESTED) + attested
        return json.dumps({
            "id": text(self.name), "rawId": text(self.name), "type": "public-key",
            "response": {
                "clientDataJSON": text(self._client("webauthn.create", options, lies)),
                "attestationObject": text(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
                "transports": ["internal", "telepathy"],
            },
        })  # fmt: skip

    def get(self, options: dict[str, Any], **lies: Any) -> str:
        """Return what ``navigator.credentials.get`` would answer."""
        client, data = self._client("webauthn.get", options, lies), self._data(0)
        signature = self.key.sign(data + sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return json.dumps({
            "id": text(self.name), "rawId": text(self.name), "type": "public-key",
            "response": {
                "clientDataJSON": text(client), "authenticatorData": text(data), "signature": text(signature),
                "userHandle": lies.get("handle", self.handle),
            },
        })  # fmt: skip

    def _data(self, more: int) -> bytes:
        return sha256(self.host.encode()).digest() + bytes([self.flags | more]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, options: dict[str, Any], lies: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps({**said, **{name: lies[name] for name in said.keys() & lies.keys()}}).encode()
