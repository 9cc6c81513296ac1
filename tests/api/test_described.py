"""Schemathesis asks the real program what its description promises, and everything that it forbids: all checks, clean.

By API key and by session, each in a tenant of its own; one operation after the other, and along the links of the description.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from doorward.api.openapi import document
from doorward.api.table import ROUTES
from support.broken_program import CODES, broken_program
from support.fuzzed_house import TENANTS, Asker, fuzzed_house
from support.fuzzing import EXAMPLES, Fuzz, fuzz

pytestmark = [pytest.mark.requirement("F4"), pytest.mark.timeout(1200)]
House = tuple[str, dict[str, Asker], Path]
VARIABLE = re.compile(r"{(\w+)}")
ACCEPTED = ["2xx", "401", "403", "404", "409", "422", "429", "503"]
"""What data of the right shape may get: 422 for what names a role, a server or a day that is not there."""
NEW = "u000000"
"""In names that must not be there yet: each time another one."""
POSSIBLE = ["2xx", "403", "404", "409", "429"]
"""What a possible request may get: what it is about may be gone, have ended, or be somebody with rights beyond a key's."""


def described_for(who: Asker, url: str) -> dict[str, Any]:
    """Return the description, with the one way to ask that this asker takes."""
    told = document(ROUTES, url)
    mine = next(iter(who.shows))
    schemes = told["components"]["securitySchemes"]
    told["components"]["securitySchemes"] = {name: schemes[name] for name in who.shows}
    for path, methods in list(told["paths"].items()):
        for method, operation in list(methods.items()):
            security = [each for each in operation.get("security", told["security"]) if mine in each]
            if not security:
                del methods[method]
            operation["security"] = security
        if not methods:
            del told["paths"][path]
    del told["security"]
    return told


KEPT = "what has ended is still shown, with when and why"
OFF = {
    ("UseAfterFree", "clients.show"): KEPT,
    ("UseAfterFree", "connections.show"): KEPT,
    ("UseAfterFree", "my-connections.show"): KEPT,
    ("EnsureResourceAvailability", "servers.review"): "a new server was not seen to offer any tool",
}
"""Checks that are off, by kind of failure and operation, each with why. All others of Schemathesis are on."""
OFF_ALONG_LINKS = {
    ("RejectedPositiveData", "domains.verify"): "no name server has the record of a made-up domain",
    ("RejectedPositiveData", "clients.retire-secret"): "a secret that ends already is not kept for longer",
}
"""What is off, too, where nothing but the possible is asked for."""


def config_for(who: Asker, accepted: Sequence[str] = ACCEPTED) -> str:
    kind = "bearer" if "key" in who.shows else "api_key"
    auth = "".join(f'openapi.{name}.{kind} = "{shown}"\n' for name, shown in who.shows.items())
    return f"""
[headers]
Sec-Fetch-Site = "same-origin"

[auth]
{auth}
[generation]
with-security-parameters = false

[parameters]
"path.slug" = "{who.slug}"

[checks]
positive_data_acceptance.expected-statuses = {json.dumps(accepted)}

[phases.stateful]
max-steps = 25
inference.algorithms = []
generation.mode = "positive"
"""


def possible(described: dict[str, Any], who: Asker) -> dict[str, Any]:
    """Narrow a description to what is possible in the asker's tenant: links lead further only from what was done."""
    bodies = bodies_for(who)
    for methods in described["paths"].values():
        for operation in methods.values():
            operation["parameters"] = [each for each in operation["parameters"] if each["required"]]
            if operation["operationId"] in bodies:
                told = operation["requestBody"]["content"]["application/json"]
                told["schema"] = narrowed(bodies[operation["operationId"]])
    return described


def narrowed(body: Any) -> dict[str, Any]:
    """Return the schema of a body, and of nothing else but what has other numbers in its new names."""
    if isinstance(body, dict):
        members = {name: narrowed(value) for name, value in body.items()}
        return {"type": "object", "properties": members, "required": list(body), "additionalProperties": False}
    if isinstance(body, str) and NEW in body:
        return {"type": "string", "pattern": f"^{re.escape(body).replace(NEW, 'u[0-9]{6}')}$"}
    return {"enum": [body]}


def bodies_for(who: Asker) -> dict[str, Any]:
    """Return bodies that are possible in the asker's tenant."""
    app = {"name": "App", "auth_method": "client_secret_basic", "redirect_uris": ["https://app.example/callback"]}
    server = {"title": "Wiki", "url": "https://wiki.example/mcp", "auth": "identity"}
    folder = {"type": "folder", "key": "f1", "name": "One"}
    return {
        "client-verdicts.decide": {"client": f"c-{who.slug}", "allowed": True},
        "clients.create": app,
        "clients.replace": app,
        "connections.change": {"keep": ["documents:read"]},
        "my-connections.change": {"keep": ["documents:read"], "name": "Mine"},
        "decisions.explain": {"user": f"olga@{who.slug}.example", "server": "harbour", "tool": "search"},
        "domains.say": {"domain": "mail-u000000.example", "sso": None, "join": None},
        "invitations.create": {"email": "u000000@new.example", "roles": ["readers"]},
        "keys.create": {"name": "ci", "expires": "7d"},
        "keys.change": {"name": "ci again"},
        "keys.rotate": {"keep": "24h"},
        "key-policy.set": {"max_days": None, "never": None, "create": None},
        "members.roles": {"roles": ["readers"]},
        "members.add-service-account": {"name": "Robot", "roles": ["readers"]},
        "overrides.add": {"server": "harbour", "kind": "tool", "match": "u000000", "deny": True},
        "resources.change": {"put": [folder]},
        "resources.replace": {"resources": [folder]},
        "roles.create": {"name": "u000000", "permissions": ["documents:read"]},
        "roles.change": {"permissions": ["documents:read"]},
        "servers.add": {"name": "wu000000", **server},
        "servers.change": server,
        "servers.status": {"status": "active"},
        "servers.review": {"name": "search", "state": "held", "version": "d"},
        "settings.change": {"name": "Acme"},
    }


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("described")
    with fuzzed_house(folder) as (url, askers):
        yield url, askers, folder


@pytest.fixture(scope="module")
def done() -> set[str]:
    """Return what did what it is for, along links, for either asker."""
    return set()


@pytest.mark.parametrize("slug", TENANTS)
def test_the_program_keeps_what_its_description_says(house: House, slug: str) -> None:
    url, askers, folder = house
    who = askers[slug]
    run = Fuzz(
        phases=("examples", "coverage", "fuzzing"), config=config_for(who), examples=1, own=who.own,
        share=(TENANTS.index(slug), 10), off=OFF,
    )  # fmt: skip
    found = fuzz(described_for(who, url), url, folder / slug, run)
    assert found.clean, found.says[-12_000:]
    assert found.answered.keys() == {route.name for route in ROUTES if route.keys or slug == "by-session"}
    assert not any(401 in statuses for statuses in found.answered.values()), "the credential was gone"


@pytest.mark.parametrize("slug", TENANTS)
def test_what_an_answer_names_leads_on_as_its_links_say(house: House, done: set[str], slug: str) -> None:
    url, askers, folder = house
    who = askers[slug]
    run = Fuzz(
        phases=("stateful",), config=config_for(who, POSSIBLE), examples=5, own=who.own, off={**OFF, **OFF_ALONG_LINKS}
    )  # fmt: skip
    found = fuzz(possible(described_for(who, url), who), url, folder / f"links-{slug}", run)
    assert found.clean, found.says[-12_000:]
    assert not any(401 in statuses for statuses in found.answered.values()), "the credential was gone"
    done |= found.answered.keys() - found.never_done()
    if slug == TENANTS[-1]:
        # Where hardly anything succeeds, nothing is tried: the way to find that out is to count.
        wanted = len(ROUTES) - 5 if EXAMPLES >= 100 else len(ROUTES) // 2
        assert len(done) >= wanted, sorted({route.name for route in ROUTES} - done)


def test_M5_every_unsafe_operation_wants_what_it_says_it_wants_of_a_session(house: House) -> None:
    url, askers, _ = house
    shows = askers["by-session"].shows
    told, unsafe = document(ROUTES, url), 0
    cookie, site = {"cookie": f"doorward_session={shows['session']}"}, {"sec-fetch-site": "same-origin"}
    form = {"doorward-csrf": shows["form"]}
    both = {**cookie, **site, **form, "authorization": f"Bearer {askers['by-key'].shows['key']}"}
    with httpx2.Client(base_url=url) as client:
        for path, methods in told["paths"].items():
            at = VARIABLE.sub(lambda name: "by-session" if name[1] == "slug" else "x", path)
            for method, operation in methods.items():
                assert client.request(method, at, headers=both).json()["code"] == "DW-460", (method, path)
                wanted = [set(each) for each in operation.get("security", told["security"]) if "session" in each]
                assert wanted == [{"session"} if method == "get" else {"session", "form"}], (method, path)
                if method == "get":
                    continue
                unsafe += 1
                for headers, code in (({**cookie, **site}, "DW-466"), ({**cookie, **form}, "DW-408")):
                    answer = client.request(method, at, headers=headers)
                    assert (answer.status_code, answer.json()["code"]) == (403, code), (method, path)
    assert unsafe == sum(route.changes for route in ROUTES)


def test_the_fuzzer_finds_every_kind_of_broken_promise(tmp_path: Path) -> None:
    config = """
[auth]
openapi.key.bearer = "good"
openapi.session.api_key = "good"

[generation]
with-security-parameters = false

[phases.stateful]
max-steps = 25
"""
    with broken_program() as (url, described):
        run = Fuzz(phases=("coverage", "fuzzing", "stateful"), config=config, examples=3)
        found = fuzz(described, url, tmp_path / "broken", run)
    assert not found.clean
    summary = found.says.rpartition("Failures:")[2]
    assert {check for check, code in CODES.items() if f"❌ {code}" not in summary} == set(), found.says
