"""The providers that do not keep to the plain form: Google by `hd`, Entra by tenant ids, GitHub without ID tokens (E1; H18)."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from tests.accounts.test_provider_sign_in import Street, fetcher, refused, signed_in

from doorward.federation import provider_client
from doorward.federation.templates import PlainOAuth, Template, templates
from doorward.model import Identity
from doorward.protocol.identity_provider import ProviderMetadata
from doorward.storage import accounts, identities
from support.https_server import HOST, HttpsServer, http, https_server, trust
from support.identity_provider import SECRET, Idp
from support.pages import Clock, opened_house
from support.rows import ALICE

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E1")]
OURS, OTHERS = "8f14e45f-ceea-467f-9d3a-0242ac120002", "11111111-2222-3333-4444-555555555555"
MANY = "/organizations/v2.0"


@dataclass
class Entra(Idp):
    """Lets people of many tenants in by one client: its document names a pattern, its tokens a tenant."""

    path: str = MANY
    tenant: str = OURS

    def _discovery(self) -> dict[str, Any]:
        return super()._discovery() | {"issuer": self.server.url("/{tenantid}/v2.0")}

    def claims(self, asked: Any, access_token: str) -> dict[str, Any]:
        own = {"iss": self.server.url(f"/{self.tenant}/v2.0"), "tid": self.tenant}
        return {**super().claims(asked, access_token), **own, **self.changed}


@dataclass
class GitHub(Idp):
    """Signs nothing: a token by the secret in the form, and who somebody is at two addresses of its own."""

    account: dict[str, Any] = field(default_factory=lambda: {"id": 4711, "login": "alice", "name": None})
    addresses: Any = field(default_factory=list)
    bearers: list[str] = field(default_factory=list)

    async def _answer(self, writer: Any) -> None:
        head, body = self.server.requests[-1], self.server.bodies[-1]
        path = head.split(" ")[1]
        if path == "/token":
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            right = (form.pop("client_id", ""), form.pop("client_secret", "")) == ("doorward", SECRET)
            known = self.codes.pop(form.get("code", ""), None)
            found: Any = {"access_token": "gho_x", "token_type": "bearer", "scope": "read:user,user:email"}
            if known is None or not right or form["redirect_uri"] != known["redirect_uri"]:
                # GitHub says so with 200.
                found = {"error": "bad_verification_code"}
        else:
            self.bearers += [line for line in head.splitlines() if line.lower().startswith("authorization:")]
            found = {"/user": self.account, "/user/emails": self.addresses}.get(path)
        writer.write(http(json.dumps(found).encode()))
        await writer.drain()


def known_as(idp: Idp, template: str) -> Template:
    """Return the template as it stands, with the addresses of the stand-in for the provider's own."""
    found, at = templates()[template], idp.server.url
    if template == "entra":
        return replace(found, many={at(MANY): at("/{tenantid}/v2.0")})
    if template == "github":
        place = ProviderMetadata(
            issuer=idp.issuer, authorization_endpoint=at("/authorize"), token_endpoint=at("/token"), secret_in_body=True
        )
        return replace(found, plain=PlainOAuth(user=at("/user"), emails=at("/user/emails")), metadata=place)
    return found


@pytest.fixture
async def street(
    request: pytest.FixtureRequest, tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Street]:
    """A house whose provider ``corp`` is one of these kinds and speaks for acme.test."""
    template, kind = request.param
    clock = Clock()
    async with (
        opened_house(tmp_path, url=sqlite_url, clock=clock, fetcher=fetcher(clock)) as house,
        https_server(trust(HOST)[0]) as server,
    ):
        found = Street(house, made(kind, server, clock), server)
        entry = {template: known_as(found.idp, template)}
        monkeypatch.setattr(provider_client, "templates", lambda: entry)
        await found.redeclare(template=template, domains=("acme.test",))
        # An administrator wrote Alice's address down; nobody has used it.
        await house.database.write(lambda tx: accounts.drop_password(tx, ALICE.id))
        yield found


def made(kind: type[Idp], server: HttpsServer, clock: Clock) -> Idp:
    return kind(server, clock)


google = pytest.mark.parametrize("street", [("google", Idp)], indirect=True, ids=["google"])
entra = pytest.mark.parametrize("street", [("entra", Entra)], indirect=True, ids=["entra"])
github = pytest.mark.parametrize("street", [("github", GitHub)], indirect=True, ids=["github"])


@google
async def test_H18_google_speaks_for_a_domain_only_where_the_account_is_of_it(street: Street) -> None:
    street.idp.person |= {"email": ALICE.email, "email_verified": True}
    # A private Google account that was made with the address of a company (no hd), or of another company.
    for hd in (None, "evil.example", "ACME.test", ["acme.test"], True):
        street.idp.person |= {"hd": hd}
        refused(await street.come(street.house.browser()), "DW-445", 403)
    street.idp.person |= {"hd": "acme.test", "email_verified": False}
    refused(await street.come(street.house.browser()), "DW-445", 403)
    street.idp.person |= {"email_verified": True}
    assert signed_in(await street.come())


@entra
async def test_H16_entra_is_the_issuer_of_the_tokens_own_tenant(street: Street) -> None:
    street.idp.person |= {"email": ALICE.email, "xms_edov": True}
    assert isinstance(street.idp, Entra)
    for changed in (
        {"tid": OTHERS}, {"tid": None}, {"iss": street.idp.server.url("/{tenantid}/v2.0")}, {"tid": "common"},
        {"iss": street.idp.server.url(f"/{OTHERS}/v2.0")}, {"iss": f"https://evil.example/{OURS}/v2.0"},
    ):  # fmt: skip
        street.idp.changed = changed
        refused(await street.come(street.house.browser()), "DW-444", 400)
    street.idp.changed = {}
    assert signed_in(await street.come())
    [tied] = await street.house.database.read(lambda reader: identities.identities_of_user(reader, ALICE.id))
    assert isinstance(tied, Identity)
    assert tied.issuer == street.idp.server.url(f"/{OURS}/v2.0")
    # The same subject in another tenant is somebody else.
    street.idp.tenant = OTHERS
    refused(await street.come(street.house.browser()), "DW-445", 403)


@entra
async def test_H18_entras_address_counts_only_where_its_domains_owner_verified_it(street: Street) -> None:
    street.idp.person |= {"email": ALICE.email, "email_verified": True}
    refused(await street.come(street.house.browser()), "DW-445", 403)
    for told in ("1", 1, "true", False):
        street.idp.person |= {"xms_edov": told}
        refused(await street.come(street.house.browser()), "DW-445", 403)


@github
async def test_somebody_comes_by_github_without_an_id_token(street: Street) -> None:
    assert isinstance(street.idp, GitHub)
    street.idp.addresses = [
        {"email": "alice@private.example", "primary": False, "verified": True, "visibility": None},
        {"email": "Alice@acme.test", "primary": True, "verified": True, "visibility": "private"},
    ]
    assert signed_in(await street.come())
    assert street.idp.asked[-1]["scope"] == "read:user user:email"
    assert "nonce" not in street.idp.asked[-1]
    assert street.idp.asked[-1]["code_challenge_method"] == "S256"
    assert [each.partition(": ")[2] for each in street.idp.bearers] == ["Bearer gho_x"] * 2
    assert await street.identities() == ["4711"], "the number, which no other account ever gets"
    street.idp.account |= {"login": "renamed"}
    assert signed_in(await street.come(street.house.browser()))


@github
@pytest.mark.parametrize(
    "addresses",
    [
        [{"email": ALICE.email, "primary": True, "verified": False}],
        [{"email": ALICE.email, "primary": False, "verified": True}],
        [{"email": ALICE.email, "primary": True, "verified": "true"}],
        [{"primary": True, "verified": True}],
        [ALICE.email],
        [],
    ],
    ids=["not verified", "not primary", "a text", "no address", "no object", "none"],
)
async def test_H18_only_githubs_primary_and_verified_address_counts(street: Street, addresses: list[Any]) -> None:
    assert isinstance(street.idp, GitHub)
    street.idp.addresses = addresses
    refused(await street.come(), "DW-445", 403)
    assert await street.identities() == []


@github
@pytest.mark.parametrize("account", [{"login": "alice"}, {"id": "4711"}, {"id": True}, {"id": None}], ids=str)
async def test_an_account_at_github_without_its_number_is_nobody(street: Street, account: dict[str, Any]) -> None:
    assert isinstance(street.idp, GitHub)
    street.idp.account, street.idp.addresses = account, [{"email": ALICE.email, "primary": True, "verified": True}]
    refused(await street.come(), "DW-444", 400)


@github
async def test_H15_a_code_of_github_that_is_refused_with_200_lets_nobody_in(street: Street) -> None:
    back = street.idp.approve(await street.sent())
    street.idp.codes.clear()
    refused(await street.browser.get(back), "DW-444", 400)
