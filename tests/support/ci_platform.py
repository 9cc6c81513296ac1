"""A CI platform or cluster with an issuer of its own: a real https server, and tokens of the shapes that are known."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from support.assertions import RSA, KeyPair
from support.https_server import HttpsServer, http

SHAPES: dict[str, dict[str, Any]] = {
    "github": {
        "sub": "repo:acme/site:ref:refs/heads/main", "repository": "acme/site", "repository_owner": "acme",
        "repository_id": "74", "repository_owner_id": "65", "repository_visibility": "private", "ref": "refs/heads/main",
        "ref_type": "branch", "environment": "prod", "workflow": "deploy", "event_name": "push", "actor": "ines",
        "job_workflow_ref": "acme/site/.github/workflows/deploy.yml@refs/heads/main", "runner_environment": "github-hosted",
    },
    "gitlab": {
        "sub": "project_path:acme/site:ref_type:branch:ref:main", "namespace_id": "72", "namespace_path": "acme",
        "project_id": "20", "project_path": "acme/site", "ref": "main", "ref_type": "branch", "ref_protected": "true",
        "environment": "prod", "environment_protected": "true", "pipeline_source": "push", "user_login": "ines",
        "ci_config_ref_uri": "gitlab.example/acme/site//.gitlab-ci.yml@refs/heads/main",
    },
    "kubernetes": {
        "sub": "system:serviceaccount:ci:deployer",
        "kubernetes.io": {
            "namespace": "ci", "pod": {"name": "run-1", "uid": "5b1"}, "serviceaccount": {"name": "deployer", "uid": "c0d"},
        },
    },
}  # fmt: skip
"""What the tokens say besides issuer, audience and times."""
RULES: dict[str, dict[str, str]] = {
    "github": {"repository": "acme/site", "ref": "refs/heads/main", "environment": "prod"},
    "gitlab": {"project_path": "acme/site", "ref": "main", "ref_protected": "true", "environment": "prod"},
    "kubernetes": {"sub": "system:serviceaccount:ci:deployer"},
}
"""What a rule asks of them."""


@dataclass
class Platform:
    """An issuer behind ``server``. Its documents are published anew by ``publish``."""

    server: HttpsServer
    shape: str = "github"
    pair: KeyPair = RSA
    kid: str = "k1"
    path: str = ""
    made: int = 0
    documents: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server.answer = self._answer
        self.publish()

    @property
    def issuer(self) -> str:
        return self.server.url(self.path)

    def publish(self, *headers: str, keys: list[dict[str, str]] | None = None, **changed: Any) -> None:
        known = [self.pair.public(self.kid) | {"use": "sig"}] if keys is None else keys
        document = {"issuer": self.issuer, "jwks_uri": self.server.url(f"{self.path}/jwks")} | changed
        self.documents = {
            f"{self.path}/.well-known/openid-configuration": http(json.dumps(document).encode(), *headers),
            f"{self.path}/jwks": http(json.dumps({"keys": known}).encode(), *headers),
        }

    def claims(self, audience: str, seconds: int, **changed: Any) -> dict[str, Any]:
        """Return what a token of this platform says at ``seconds``; ``None`` leaves a claim out."""
        self.made += 1
        times = {"iat": seconds, "nbf": seconds, "exp": seconds + 300, "jti": f"j{self.made}"}
        said = {"iss": self.issuer, "aud": audience} | times | SHAPES[self.shape] | changed
        return {name: value for name, value in said.items() if value is not None}

    def token(self, audience: str, seconds: int, **changed: Any) -> str:
        return self.pair.sign(self.claims(audience, seconds, **changed), kid=self.kid)

    def asked(self, path: str = "/jwks") -> int:
        """Say how often a document was fetched."""
        return sum(head.startswith(f"GET {self.path}{path} ") for head in self.server.requests)

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        path = self.server.requests[-1].split(" ")[1]
        writer.write(self.documents.get(path, http(b"{}", status="404 Not Found")))
        await writer.drain()
