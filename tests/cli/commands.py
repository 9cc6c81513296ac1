"""Running commands in this process, against a deployment of their own."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from doorward.cli.main import main

PASSWORD = "correct horse battery"
TEAM: dict[str, Any] = {
    "servers": [
        {
            "slug": "wiki",
            "upstream": "http://127.0.0.1:9/mcp",
            "tools": [{"match": "get_*", "requires": ["pages:read"]}, {"match": "*", "requires": ["pages:write"]}],
        }
    ],
    "users": [{"email": "ines@acme.example", "password": PASSWORD}, {"email": "sam@both.example"}, {"email": "lone@x.example"}],
    "tenants": [
        {
            "slug": "acme",
            "servers": ["wiki"],
            "members": [{"user": "ines@acme.example", "roles": ["owner"]}, {"user": "sam@both.example", "roles": ["viewer"]}],
            "resources": [{"type": "space", "key": "s/1"}],
        },
        {"slug": "globex", "members": [{"user": "sam@both.example", "roles": ["owner"]}]},
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Commands:
    """A deployment's directory and its command line."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        """Run ``doorward ARGUMENTS --data DIR``."""
        return self.bare(*arguments, "--data", str(self.data), stdin=stdin)

    def bare(self, *arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=stdin, prog_name="doorward")

    def init(self) -> Result:
        return self.run("init", "--config", str(self.folder / "doorward.toml"))

    def apply(self, document: dict[str, Any], *more: str) -> Result:
        path = self.folder / "team.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return self.run("apply", "-f", str(path), *more)

    def made(self, *arguments: str) -> dict[str, Any]:
        """Make a key and return the JSON object that was printed, alone."""
        done = self.run("token", "create", *arguments, "--json")
        assert done.exit_code == 0, done.output
        assert done.stderr == ""
        assert done.stdout.count("\n") == 1
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed


def failed(done: Result, code: int = 1) -> str:
    """Return the one line with which a command failed."""
    assert done.exit_code == code, (done.exit_code, done.output)
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    return done.stderr
