import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol.examples import ISSUER, MCP_URL

from doorward.protocol import discovery
from doorward.protocol.discovery import DocumentKind, WellKnown
from doorward.protocol.token import DEVICE_CODE

PRM, ASM, OIDC, JWKS = DocumentKind
CONFIDENTIAL = ["client_secret_post", "client_secret_basic", "private_key_jwt"]


@pytest.mark.parametrize("kind", list(DocumentKind))
@pytest.mark.requirement("B6")
def test_every_form_that_clients_probe_is_recognised(kind: DocumentKind) -> None:
    assert discovery.well_known(f"/.well-known/{kind}") == WellKnown(kind, "")
    assert discovery.well_known(f"/.well-known/{kind}/") == WellKnown(kind, "")
    assert discovery.well_known(f"/.well-known/{kind}/mcp") == WellKnown(kind, "/mcp")
    assert discovery.well_known(f"/.well-known/{kind}/acme/mcp") == WellKnown(kind, "/acme/mcp")
    assert discovery.well_known(f"/mcp/.well-known/{kind}") == WellKnown(kind, "/mcp")
    assert discovery.well_known(f"/acme/mcp/.well-known/{kind}") == WellKnown(kind, "/acme/mcp")


def test_the_advertised_jwks_path_is_recognised() -> None:
    assert discovery.well_known("/oauth/jwks.json") == WellKnown(JWKS, "")


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "/mcp", "/.well-known", "/.well-known/", "/.well-known/other", "/.well-known/oauth-protected-resourcex",
        "/.well-known/oauth-protected-resource/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource//mcp", "/.well-known/oauth-authorization-server/../mcp",
        "/.well-known/oauth-authorization-server/%6dcp", "/.well-known/oauth-authorization-server/a%2fb",
        "/.well-known/oauth-authorization-server/mcp;x", "/.well-known/oauth-authorization-server/.",
        "/.WELL-KNOWN/oauth-authorization-server", "/.well-known/openid-configuration\n", "/a/.well-known/jwks.json/b",
        "//.well-known/openid-configuration", "/oauth/jwks.json/",
    ],
)  # fmt: skip
def test_D7_other_paths_are_not(path: str) -> None:
    assert discovery.well_known(path) is None


@given(st.text())
def test_any_path_is_recognised_or_not(path: str) -> None:
    found = discovery.well_known(path)
    assert found is None or ".." not in found.inner


def test_D6_the_authorization_servers_document_says_what_works_here() -> None:
    assert discovery.authorization_server_metadata(ISSUER, ["b:read", "a:read"]) == {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/oauth/authorize",
        "token_endpoint": f"{ISSUER}/oauth/token",
        "registration_endpoint": f"{ISSUER}/oauth/clients/register",
        "revocation_endpoint": f"{ISSUER}/oauth/revoke",
        "introspection_endpoint": f"{ISSUER}/oauth/introspect",
        "device_authorization_endpoint": f"{ISSUER}/oauth/device_authorization",
        "jwks_uri": f"{ISSUER}/oauth/jwks.json",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "client_credentials",
            DEVICE_CODE,
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
        ],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", *CONFIDENTIAL],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "RS256"],
        "revocation_endpoint_auth_methods_supported": ["none", *CONFIDENTIAL],
        "revocation_endpoint_auth_signing_alg_values_supported": ["ES256", "RS256"],
        "introspection_endpoint_auth_methods_supported": CONFIDENTIAL,
        "introspection_endpoint_auth_signing_alg_values_supported": ["ES256", "RS256"],
        "client_id_metadata_document_supported": True,
        "authorization_response_iss_parameter_supported": True,
        "scopes_supported": ["a:read", "b:read", "openid", "profile", "email", "offline_access"],
        "userinfo_endpoint": f"{ISSUER}/oauth/userinfo",
        "end_session_endpoint": f"{ISSUER}/oauth/logout",
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "tenant", "tenant_id", "name", "email",
            "email_verified",
        ],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }  # fmt: skip


def test_D6_a_closed_registration_is_not_advertised() -> None:
    document = discovery.authorization_server_metadata(ISSUER, [], registration=False, documents=False)
    assert document["client_id_metadata_document_supported"] is False
    assert "registration_endpoint" not in document
    assert document["scopes_supported"] == ["openid", "profile", "email", "offline_access"]


def test_the_protected_resources_document_has_one_server_and_no_oidc_scopes() -> None:
    document = discovery.protected_resource_metadata(
        MCP_URL, ISSUER, ["b:read", "offline_access", "a:read"], "Documents"
    )
    assert document == {
        "resource": MCP_URL,
        "authorization_servers": [ISSUER],
        "scopes_supported": ["a:read", "b:read"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Documents",
    }
    documented = discovery.protected_resource_metadata(MCP_URL, ISSUER, [], "D", documentation="https://docs.example/")
    assert documented["resource_documentation"] == "https://docs.example/"


@pytest.mark.parametrize("path", ["/mcp", "/acme/mcp"])
def test_J16_the_challenge_names_a_path_that_is_served(path: str) -> None:
    url = discovery.resource_metadata_url(ISSUER, path)
    assert url == f"{ISSUER}/.well-known/oauth-protected-resource{path}"
    assert discovery.well_known(url.removeprefix(ISSUER)) == WellKnown(PRM, path)
