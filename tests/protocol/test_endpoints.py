from dataclasses import replace

import pytest

from doorward.model import Server, ServerId, TenantId
from doorward.protocol.endpoints import NO_SERVER, RESERVED_SLUGS, Endpoints, own_name_ok, own_path

SHORT = "/mcp"
DOCUMENTS = Server(
    id=ServerId("s1"), slug="documents", name="Documents", paths=(SHORT, "/{tenant}/mcp"), upstream="http://up/mcp"
)
WIKI = Server(id=ServerId("s2"), slug="wiki", name="Wiki", paths=("/t/{tenant}/wiki",), upstream="http://up/wiki")
NOWHERE = Server(id=ServerId("s3"), slug="nowhere", name="Nowhere", paths=(), upstream="http://up/none")
ENDPOINTS = Endpoints(public_url="https://door.example", servers=(DOCUMENTS, WIKI))


def test_both_url_shapes_lead_to_the_server() -> None:
    short, pinned = ENDPOINTS.find("/mcp"), ENDPOINTS.find("/acme/mcp")
    assert short is not None
    assert (short.server_id, short.tenant_slug, short.url) == ("s1", None, "https://door.example/mcp")
    assert pinned is not None
    assert (pinned.server, pinned.tenant_slug, pinned.url) == (DOCUMENTS, "acme", "https://door.example/acme/mcp")
    wiki = ENDPOINTS.find("/t/globex/wiki")
    assert wiki is not None
    assert wiki.tenant_slug == "globex"


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "/mcp/", "/MCP", "/acme/mcp/", "/ACME/mcp", "/acme%2fmcp", "/acme/../mcp", "/a/b/mcp", "/-a/mcp",
        "/a-/mcp", "//mcp", "/%61cme/mcp", "/t/wiki", "/t//wiki", "/t/acme/wikis", "/" + "a" * 64 + "/mcp", "/acme/mcp\n",
    ],
)  # fmt: skip
def test_D7_L6_nothing_else_is_an_endpoint(path: str) -> None:
    assert ENDPOINTS.find(path) is None


@pytest.mark.parametrize("slug", sorted(RESERVED_SLUGS))
def test_reserved_slugs_are_no_tenants(slug: str) -> None:
    assert ENDPOINTS.find(f"/{slug}/mcp") is None


def test_a_url_is_an_endpoint_byte_for_byte() -> None:
    found = ENDPOINTS.by_url("https://door.example/acme/mcp")
    assert found is not None
    assert found.path == "/acme/mcp"
    for url in ("https://door.example/mcp/", "https://door.example", "http://door.example/mcp", "/mcp", ""):
        assert ENDPOINTS.by_url(url) is None


def test_the_short_url_is_the_first_server_that_has_one() -> None:
    short = ENDPOINTS.short()
    assert short is not None
    assert short.path == SHORT
    assert Endpoints(public_url="https://door.example", servers=(WIKI,)).short() is None


def test_a_tenant_gets_its_own_url_and_else_the_short_one() -> None:
    own = ENDPOINTS.of_tenant(DOCUMENTS, "acme")
    assert own is not None
    assert own.path == "/acme/mcp"
    only_short = Server(id=ServerId("s4"), slug="x", name="X", paths=("/x",), upstream="http://up/x")
    endpoint = Endpoints(public_url="https://door.example", servers=(only_short,)).of_tenant(only_short, "acme")
    assert endpoint is not None
    assert endpoint.path == "/x"
    assert ENDPOINTS.of_tenant(NOWHERE, "acme") is None


def test_a_server_may_stand_at_a_url_of_its_own_but_never_at_one_of_ours() -> None:
    url = "https://wiki.example/mcp"
    servers = [replace(DOCUMENTS, direct="https://mcp.example/t/acme/wiki"), replace(WIKI, direct=url)]
    known = Endpoints(public_url="https://mcp.example", servers=servers)
    found = known.by_url(url)
    assert found is not None
    assert (found.server.slug, found.tenant_slug, found.url) == ("wiki", None, url)
    ours = known.by_url("https://mcp.example/t/acme/wiki")
    assert ours is not None
    assert ours.server.slug == "wiki"
    assert known.by_url(url + "/") is None
    assert known.find("/mcp") != found


OWN = Server(
    id=ServerId("s4"), slug="acme_notes", name="Secret notes", paths=("/acme/own/notes",), upstream="https://up/n",
    tenant_id=TenantId("t-acme"),
)  # fmt: skip
WITH_OWN = Endpoints(public_url="https://door.example", servers=(OWN, DOCUMENTS))


@pytest.mark.requirement("L19")
def test_a_tenant_s_own_server_has_one_path_which_pins_the_tenant_and_tells_no_name() -> None:
    found = WITH_OWN.find("/acme/own/notes")
    assert found is not None
    assert (found.server, found.tenant_slug, found.public_name) == (OWN, "acme", "notes")
    assert WITH_OWN.of_tenant(OWN, "acme") == found
    short = WITH_OWN.short()
    assert short is not None
    assert (short.server, short.public_name) == (DOCUMENTS, "Documents")
    assert OWN.audience == "own:acme_notes"


@pytest.mark.parametrize("path", ["/acme/own/none", "/nobody/own/notes", "/globex/own/notes"])
def test_D7_a_path_of_that_form_is_an_endpoint_whatever_is_there(path: str) -> None:
    found = WITH_OWN.find(path)
    assert found is not None
    assert (found.server_id, found.tenant_slug) == (NO_SERVER, path.split("/")[1])
    assert found.public_name == path.split("/")[3]
    assert found.url == f"https://door.example{path}"


@pytest.mark.parametrize("path", ["/settings/own/notes", "/acme/own/", "/acme/own/No", "/acme/own/a/b", "/-/own/a"])
def test_other_paths_are_none(path: str) -> None:
    assert WITH_OWN.find(path) is None


def test_names_of_own_servers() -> None:
    assert own_path("acme", "notes") == "/acme/own/notes"
    assert [name for name in ("a", "a-1", "A", "", "1a", "a" * 31, "a" * 32, "a/b") if own_name_ok(name)] == [
        "a", "a-1", "a" * 31,
    ]  # fmt: skip
