"""Sign-in with Doorward by a certified library that nobody here wrote (npm ``openid-client``), which checks every claim."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.node import NODE_PROJECT, node
from support.person import Person
from support.running_demo import Demo, running_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("relying-party") / "data") as running:
        yield running


def signed_in(demo: Demo, person: Person, algorithm: str) -> dict[str, Any]:
    """Run the relying party, with ``person`` in front of the browser, and return what it learned."""
    process = subprocess.Popen(
        [node(), str(Path(NODE_PROJECT) / "relying_party.mjs"), demo.url, algorithm],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", cwd=NODE_PROJECT,
    )  # fmt: skip
    assert process.stdout is not None
    said: dict[str, str] = {}
    with process:
        for line in process.stdout:
            word, _, rest = line.strip().partition(" ")
            said[word] = rest
            if word == "AUTHORIZE":
                person.open(rest)
        assert process.stderr is not None
        complaints = process.stderr.read()
    assert process.returncode == 0, complaints
    return json.loads(said["SAID"])  # type: ignore[no-any-return]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
@pytest.mark.requirement("B7")
def test_an_independent_relying_party_signs_somebody_in(demo: Demo, algorithm: str) -> None:
    email, password = demo.user("owner")
    said = signed_in(demo, Person(email, password), algorithm)
    assert said["header"]["alg"] == algorithm
    assert said["claims"]["iss"] == demo.url
    assert said["user"]["email"] == email
    assert said["user"]["sub"] == said["claims"]["sub"] == said["refreshed"]
    assert said["authTime"] == said["claims"]["auth_time"]
    assert said["signOut"].startswith(f"{demo.url}/oauth/logout?")
