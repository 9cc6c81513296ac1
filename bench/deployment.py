"""A Doorward as an operator would set it up: ``init``, ``apply``, ``token create``, ``serve``. Everything at its default."""

import json
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import SERVER_CORE, BenchError, Pinned, start
from bench.rotation import Chain

TESTS = Path(__file__).resolve().parent.parent / "tests"
EMAIL = "bench@example.com"
TENANT = "bench"
ROBOT = "robot@example.com"
MACHINE, APP = "svc", "app"
CALLBACK = "https://client.example/cb"
"""Not on loopback: there consent is asked each time."""
GUESTS = 20
"""People who only sign in."""
SCOPES = ("bench:read", "bench:write")


@dataclass
class Deployment:
    """A data directory with one server, one tenant and one user."""

    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """The issuer."""
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str) -> str:
        """Run ``doorward ARGUMENTS`` and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "doorward.cli.main", *arguments, "--config", str(self.folder / "doorward.toml")],
            capture_output=True, text=True, encoding="utf-8", timeout=120, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            message = f"doorward {' '.join(arguments)}: {done.stderr[-1000:]}"
            raise BenchError(message)
        return done.stdout

    def key(self) -> str:
        """Make an API key."""
        made = json.loads(
            self.command("token", "create", "--user", EMAIL, "--tenant", TENANT, "--name", "bench", "--json")
        )
        return str(made["key"])

    def client_secret(self, client_id: str) -> str:
        """Make a secret for a confidential client."""
        return str(json.loads(self.command("client", "secret", "add", client_id, "--json"))["secret"])

    def serve(self, *, core: int | None = SERVER_CORE) -> Pinned:
        """Start the server on its core."""
        command = [sys.executable, "-m", "doorward.cli.main", "serve", "--port", str(self.port)]
        return start(
            "doorward", [*command, "--config", str(self.folder / "doorward.toml")],
            core=core, port=self.port, folder=self.folder,
        )  # fmt: skip

    def connect(self, count: int) -> list[Chain]:
        """Let ``count`` clients in, each as a person would with a browser, and return their refresh chains."""
        sys.path.insert(0, str(TESTS))
        # The person and the client of the tests: sign-in, consent and redemption are not measured here.
        from support.oauth import Client  # noqa: PLC0415
        from support.person import Person  # noqa: PLC0415

        person = Person(EMAIL, self.password)

        def one(number: int) -> Chain:
            client = Client(self.url, f"{self.url}/mcp", name=f"bench {number}")
            return Chain(self.port, client.client_id, client.connect(person).refresh)

        with ThreadPoolExecutor(1) as pool:
            return list(pool.map(one, range(count)))


def guest(number: int) -> str:
    """Return the e-mail address of somebody who only signs in."""
    return f"guest{number}@example.com"


def deploy(folder: Path, *, port: int, upstream_port: int) -> Deployment:
    """Make a data directory and declare what is measured."""
    folder.mkdir()
    deployment = Deployment(folder, port, secrets.token_urlsafe(18))
    deployment.command("init", "--public-url", deployment.url)
    path = folder / "setup.json"
    path.write_text(json.dumps(document(deployment.password, upstream_port)), encoding="utf-8")
    deployment.command("apply", "-f", str(path))
    return deployment


def document(password: str, upstream_port: int) -> dict[str, Any]:
    """Return what ``apply`` is given."""
    server = {"slug": TENANT, "name": "Bench", "paths": ["/mcp"], "upstream": f"http://127.0.0.1:{upstream_port}/mcp"}
    tenant = {
        "slug": TENANT,
        "name": "Bench",
        "servers": [TENANT],
        "members": [{"user": EMAIL, "roles": ["owner"]}, {"user": ROBOT, "roles": ["owner"]}],
        "clients": [
            {
                "id": MACHINE, "name": "Machine", "type": "confidential", "service_account": ROBOT, "introspects": [TENANT],
                "scopes": list(SCOPES),
            },
            {"id": APP, "name": "App", "type": "confidential", "redirect_uris": [CALLBACK]},
        ],
    }  # fmt: skip
    guests = [{"email": guest(number), "name": f"Guest {number}", "password": password} for number in range(GUESTS)]
    robot = {"email": ROBOT, "name": "Robot", "kind": "service"}
    user = {"email": EMAIL, "name": "Bench", "password": password}
    return {"servers": [server], "permissions": list(SCOPES), "users": [user, *guests, robot], "tenants": [tenant]}
