"""Identity providers in a document, and which ways of signing in a tenant takes (feature E1)."""

import re
from datetime import date
from typing import Any

import pytest
import yaml
from tests.provisioning.deployment import Deployment

from doorward.federation.templates import templates
from doorward.model import IdentityProvider, Status
from doorward.protocol.identity_provider import issuer_ok
from doorward.provisioning.reading import DocumentError
from doorward.storage import accounts, identity_providers
from support.tree import ROOT

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E1")]
CORP = {
    "slug": "corp", "template": "keycloak", "name": "Acme SSO", "issuer": "https://id.acme.example/realms/acme",
    "client_id": "doorward", "secret": "CORP_SECRET", "domains": ["acme.example"],
}  # fmt: skip


async def stored(deployment: Deployment, slug: str = "corp") -> IdentityProvider:
    found = await deployment.read(lambda reader: identity_providers.provider_by_slug(reader, slug))
    assert found is not None
    return found


async def test_a_provider_is_added_changed_and_switched_off(deployment: Deployment) -> None:
    done = await deployment.apply({"providers": [CORP]})
    assert done.lines == ["provider corp: add"]
    provider = await stored(deployment)
    assert (provider.name, provider.domains, provider.status) == ("Acme SSO", ("acme.example",), Status.ACTIVE)
    assert await deployment.plan({"providers": [CORP]}) == []
    less = {name: CORP[name] for name in ("slug", "template", "issuer", "client_id")}
    assert await deployment.plan({"providers": [less]}) == [], "what is not said stays"
    assert await deployment.plan({}) == []
    done = await deployment.apply({"providers": [less | {"status": "disabled", "name": "SSO"}]})
    assert done.lines == ["provider corp: name “Acme SSO” → “SSO”, status “active” → “disabled”"]
    again = await stored(deployment)
    assert (again.id, again.status, again.secret) == (provider.id, Status.DISABLED, "CORP_SECRET")


@pytest.mark.parametrize(
    ("template", "issuer"),
    [
        ("google", None), ("github", None), ("gitlab", None), ("gitlab", "https://git.acme.example"),
        ("entra", "https://login.microsoftonline.com/8f14e45f-ceea-467f-9d3a-0242ac120002/v2.0"),
        ("entra", "https://login.microsoftonline.com/organizations/v2.0"), ("okta", "https://acme.okta.com"),
        ("okta", "https://acme.okta.com/oauth2/default"), ("keycloak", "https://id.acme.example/realms/acme"),
        ("oidc", "https://id.acme.example"),
    ],
)  # fmt: skip
async def test_the_well_known_providers_need_no_more_than_this(
    deployment: Deployment, template: str, issuer: str | None
) -> None:
    said = {"slug": "it", "template": template, "client_id": "x"} | ({} if issuer is None else {"issuer": issuer})
    await deployment.apply({"providers": [said]})
    provider = await stored(deployment, "it")
    assert provider.name == templates()[template].name
    assert provider.issuer == (issuer or templates()[template].issuer)


@pytest.mark.parametrize(
    ("changed", "place", "words"),
    [
        ({"issuer": "http://id.acme.example/realms/acme"}, "issuer", "no issuer"),
        ({"issuer": "https://id.acme.example"}, "issuer", "no issuer"),
        ({"issuer": "https://localhost/realms/a"}, "issuer", "no issuer"),
        ({"issuer": "https://id.acme.example/realms/acme?x=1"}, "issuer", "no issuer"),
        ({"slug": "password"}, "slug", "of our own"), ({"slug": "A"}, "slug", "no slug"), ({"slug": ""}, "slug", "no slug"),
        ({"template": "facebook"}, "template", "not known"), ({"client_id": "a b"}, "client_id", "no client id"),
        ({"client_id": ""}, "client_id", "no client id"), ({"secret": "the secret itself!"}, "secret", "name of a secret"),
        ({"domains": ["Acme.example"]}, "domains[0]", "no mail domain"), ({"domains": ["*"]}, "domains[0]", "no mail domain"),
        ({"scopes": ["a b"]}, "scopes[0]", "no scope"), ({"trust_email": "yes"}, "trust_email", "found a text"),
        ({"status": "off"}, "status", "not known"), ({"client_secret": "x"}, "", "unknown key"),
        ({"template": "github"}, "issuer", "no issuer"),
        (
            {"template": "entra", "issuer": "https://login.microsoftonline.com/common/v2.0"}, "domains",
            "any organization come",
        ),
    ],
)  # fmt: skip
async def test_H18_what_cannot_be_a_provider_is_refused_with_its_place(
    deployment: Deployment, changed: dict[str, Any], place: str, words: str
) -> None:
    words = words.replace("any organization", "any organisation")
    with pytest.raises(DocumentError, match=re.escape(f"providers[0]{'.' if place else ''}{place}") + ".*" + words):
        await deployment.apply({"providers": [CORP | changed]})


@pytest.mark.parametrize("missing", ["slug", "client_id", "issuer"])
async def test_what_is_needed_is_asked_for(deployment: Deployment, missing: str) -> None:
    with pytest.raises(DocumentError, match=f"{missing} is missing"):
        await deployment.apply({"providers": [{name: value for name, value in CORP.items() if name != missing}]})


async def test_a_tenant_says_by_which_ways_its_people_sign_in(deployment: Deployment) -> None:
    async def methods() -> tuple[str, ...] | None:
        tenant = await deployment.read(lambda reader: accounts.tenant_by_slug(reader, "acme"))
        assert tenant is not None
        return tenant.sign_in_methods

    def acme(**sign_in: Any) -> dict[str, Any]:
        return {"slug": "acme", "sign_in": sign_in}

    await deployment.apply({"providers": [CORP], "tenants": [acme(methods=["passkey", "corp"])]})
    assert await methods() == ("passkey", "corp")
    await deployment.apply({"tenants": [acme()]})
    assert await methods() == ("passkey", "corp")
    done = await deployment.apply({"tenants": [acme(methods=None)]})
    assert done.lines == ["tenant acme: ways of signing in"]
    assert await methods() is None
    for wrong in ([], ["nobody"], ["corp", "corp"], "corp", ["Corp"]):
        with pytest.raises(DocumentError, match=re.escape("tenants[0].sign_in.methods")):
            await deployment.apply({"tenants": [acme(methods=wrong)]})


def test_every_template_says_where_it_is_from_and_when_it_was_looked_at() -> None:
    assert {"oidc", "google", "entra", "okta", "keycloak", "github", "gitlab"} == templates().keys()
    for template in templates().values():
        assert date.fromisoformat(template.last_verified).isoformat() == template.last_verified
        assert template.source.startswith("https://")
        assert template.issuer is None or issuer_ok(template.issuer)
        assert (template.plain is None) == ("openid" in template.scopes)


async def test_the_page_shows_what_can_be_applied(deployment: Deployment) -> None:
    page = (ROOT / "docs/sign-in.md").read_text(encoding="utf-8")
    for shown in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        await deployment.apply(yaml.safe_load(shown))
    assert (await stored(deployment, "google")).issuer == "https://accounts.google.com"
