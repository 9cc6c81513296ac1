"""Which tokens a trust rule takes: every condition broken in turn (product B18)."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol.test_client_assertion import jwt

from doorward.model import SECOND, ClientId, Instant, TenantId, TrustRule, UserId
from doorward.protocol import faults, token, trust
from doorward.protocol.errors import OAuthError
from doorward.protocol.signed_jwt import SignedJwt
from doorward.protocol.token import TokenForm

NOW = Instant(1_790_000_000 * SECOND)
SECONDS = NOW // SECOND
ISSUER = "https://token.actions.githubusercontent.com"
OURS = ("https://mcp.example", "https://mcp.example/oauth/token")
RULE = TrustRule(
    id=ClientId("wif_1"), tenant_id=TenantId("t"), name="Deploy", issuer=ISSUER, user_id=UserId("u"), created_at=NOW,
    claims={"repository": "acme/site", "ref": "refs/heads/main"}, pins=("repository_id",), pinned={"repository_id": "7"},
)  # fmt: skip
CLAIMS: dict[str, Any] = {
    "iss": ISSUER, "aud": OURS[0], "sub": "repo:acme/site:ref:refs/heads/main", "iat": SECONDS, "exp": SECONDS + 300,
    "nbf": SECONDS, "jti": "j", "repository": "acme/site", "repository_id": "7", "ref": "refs/heads/main",
}  # fmt: skip


def failed(changed: dict[str, Any] | None = None, rule: TrustRule = RULE) -> list[str]:
    claims = {name: value for name, value in (CLAIMS | (changed or {})).items() if value != "-"}
    return trust.failures(rule, claims, OURS, NOW)


@pytest.mark.parametrize("aud", [OURS[0], OURS[1], [OURS[0]]], ids=str)
def test_a_token_that_says_all_that_the_rule_asks_for_fits(aud: object) -> None:
    assert failed({"aud": aud}) == []
    assert failed({"nbf": "-", "jti": "-"}) == []
    assert failed({"iat": SECONDS + 29, "nbf": SECONDS + 29}) == [], "the platform's clock may be a little ahead"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iss", "https://token.actions.githubusercontent.com/"), ("iss", "-"),
        ("aud", "-"), ("aud", "https://mcp.example/"), ("aud", [*OURS]), ("aud", []), ("aud", [1]), ("aud", "https://evil.example"),
        ("exp", "-"), ("exp", SECONDS), ("exp", SECONDS + 86_401), ("exp", str(SECONDS + 9)), ("exp", 1e300), ("exp", True),
        ("iat", "-"), ("iat", SECONDS + 31), ("iat", "x"), ("nbf", SECONDS + 31), ("nbf", 1.5),
        ("sub", "-"), ("sub", ""), ("sub", 1),
        ("jti", ""), ("jti", 1), ("jti", "x" * 257), ("jti", "a\u0000"),
        ("repository", "-"), ("repository", "acme/site2"), ("repository", "Acme/site"), ("repository", ["acme/site"]),
        ("ref", "refs/heads/main/x"), ("ref", "refs/pull/1/merge"),
        ("repository_id", "8"), ("repository_id", "-"), ("repository_id", 7),
    ],
    ids=str,
)  # fmt: skip
def test_J6_J7_J9_nothing_else_fits(name: str, value: object) -> None:
    assert failed({name: value}) == [name]


def test_a_rule_with_its_own_audience_takes_that_one_alone() -> None:
    own = replace(RULE, audience="doorward")
    assert failed({"aud": "doorward"}, own) == []
    assert failed({}, own) == ["aud"]


def test_a_pending_rule_needs_the_ids_and_is_pinned_to_them() -> None:
    pending = replace(RULE, pinned=None, pins=("repository_id", "kubernetes.io/serviceaccount/uid"))
    inside = {"kubernetes.io": {"serviceaccount": {"uid": "u1"}}}
    assert failed(inside, pending) == []
    assert failed({"kubernetes.io": {"serviceaccount": "u1"}}, pending) == ["kubernetes.io/serviceaccount/uid"]
    assert trust.pinned_by(pending, CLAIMS | inside) == {
        "repository_id": "7",
        "kubernetes.io/serviceaccount/uid": "u1",
    }


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("refs/heads/release-*", "refs/heads/release-1", True), ("refs/heads/*", "refs/heads/a/b", False),
        ("refs/heads/*", "refs/heads/", False), ("refs/heads/*", "refs/heads/a:b", False), ("a/*", "a/b@c", False),
        ("a/*", "a/b\nc", True), ("a.c", "abc", False), ("a.*", "abc", False), ("", "", False), ("*", "", False),
        ("a/*", "a/" + "b" * 2000, False), ("a/?", "a/b", False),
    ],
)  # fmt: skip
def test_a_wildcard_is_one_part_of_a_name(pattern: str, value: str, expected: bool) -> None:
    assert trust.fits(pattern, value) is expected


@given(st.text(), st.text())
def test_any_pattern_fits_or_not(pattern: str, value: str) -> None:
    assert trust.fits(pattern, value) in {True, False}


@pytest.mark.parametrize(
    "claims",
    [
        {"repository": "acme/site"}, {"repository": "acme/*", "ref": "refs/heads/*"}, {"sub": "repo:acme/*:ref:refs/heads/main"},
        {"sub": "project_path:group/site:ref_type:branch:ref:main"}, {"sub": "system:serviceaccount:ci:*"},
        {"repository_id": "7", "environment": "prod-*"}, {"project_path": "group/sub/*", "ref_protected": "true"},
        {"repository_owner_id": "1", "job_workflow_ref": "acme/ci/.github/workflows/*@refs/heads/main"},
    ],
    ids=str,
)  # fmt: skip
def test_a_rule_that_says_whose_workload_it_is_may_be_kept(claims: dict[str, str]) -> None:
    assert trust.problem(replace(RULE, claims=claims)) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "http://issuer.example"}, {"issuer": "https://localhost"}, {"issuer": "https://user@issuer.example"},
        {"issuer": "https://issuer.example/?x"}, {"issuer": "https://issuer.example#f"}, {"issuer": ""},
        {"jwks_uri": "http://issuer.example/k"}, {"jwks_uri": "https://issuer.example/k", "jwks": ({"kty": "EC"},)},
        {"audience": ""}, {"audience": "x" * 1025}, {"lifetime": 901}, {"lifetime": 59},
        {"pins": ("exp",)}, {"pins": ("",)},
        {"claims": {}}, {"claims": {"ref": "refs/heads/main"}}, {"claims": {"job_workflow_ref": "a/b/c@d"}},
        {"claims": {"repository": "*"}}, {"claims": {"repository": "*/site"}}, {"claims": {"repository": "*/*"}},
        {"claims": {"repository": "a*/site"}}, {"claims": {"repository": "a/**"}}, {"claims": {"repository": "a/*x*"}},
        {"claims": {"sub": "*"}}, {"claims": {"sub": "repo:*"}}, {"claims": {"sub": "repo:*/site:ref:refs/heads/main"}},
        {"claims": {"sub": "system:serviceaccount:*:default"}}, {"claims": {"sub": "job-*"}},
        {"claims": {"repository_id": "*"}}, {"claims": {"repository": "a/b", "environment": "*"}},
        {"claims": {"repository": "a/b", "actor": "*"}}, {"claims": {"repository": "a/b", "ref": "refs/*"}},
        {"claims": {"repository": ""}}, {"claims": {"repository": " a/b"}}, {"claims": {"repository": "a\nb"}},
        {"claims": {"repository": "a/b", "exp": "1"}}, {"claims": {"repository": "a/b", "": "1"}},
        {"claims": {"repository": "a/b"} | {f"c{number}": "x" for number in range(16)}},
    ],
    ids=str,
)  # fmt: skip
def test_a_rule_that_would_take_too_much_is_not_kept(changed: dict[str, Any]) -> None:
    assert trust.problem(replace(RULE, **changed))


@pytest.mark.parametrize(
    ("claims", "pins"),
    [
        ({"repository": "acme/site"}, ("repository_id", "repository_owner_id")),
        ({"repository": "acme/site", "repository_id": "7"}, ("repository_owner_id",)),
        ({"sub": "repo:acme/site:environment:prod"}, ("repository_id", "repository_owner_id")),
        ({"repository": "acme/*"}, ("repository_owner_id",)),
        ({"sub": "repo:acme/*:ref:refs/heads/main"}, ("repository_owner_id",)),
        ({"repository_owner": "acme"}, ("repository_owner_id",)),
        ({"project_path": "group/site"}, ("project_id", "namespace_id")),
        ({"sub": "project_path:group/site:ref_type:branch:ref:main"}, ("project_id", "namespace_id")),
        ({"namespace_path": "group"}, ("namespace_id",)),
        ({"sub": "system:serviceaccount:ci:deploy"}, ("kubernetes.io/serviceaccount/uid",)),
        ({"sub": "system:serviceaccount:ci:*"}, ()),
        ({"sub": "job-7"}, ()),
        ({"repository_id": "7"}, ()),
    ],
    ids=str,
)
def test_names_are_pinned_to_the_ids_behind_them(claims: dict[str, str], pins: tuple[str, ...]) -> None:
    assert trust.default_pins(claims) == pins


def test_a_token_is_told_from_others_by_its_jti_or_by_all_that_is_signed() -> None:
    def use(text: str, **claims: str) -> str:
        return trust.use_of(SignedJwt(text=text, algorithm="ES256", kid=None, claims=claims))

    assert use("a.b.c", jti="1") == use("x.y.z", jti="1") == "jti 1"
    assert use("a.b.c") == use("a.b.d") != use("a.x.c"), "another signature over the same is the same token"


def test_keys_are_where_the_issuer_says_on_its_own_host() -> None:
    def document(**changed: Any) -> bytes:
        return json.dumps({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/.well-known/jwks"} | changed).encode()

    assert trust.jwks_uri_of(document(), ISSUER) == f"{ISSUER}/.well-known/jwks"
    bad = [
        document(issuer=f"{ISSUER}/"), document(issuer=None), document(jwks_uri=None), document(jwks_uri="http://x.example/k"),
        document(jwks_uri="https://evil.example/k"), b"[]", b"{",
    ]  # fmt: skip
    for each in bad:
        with pytest.raises(ValueError, match=r"document|jwks_uri"):
            trust.jwks_uri_of(each, ISSUER)


def form(*, text: str | None = None, **values: str) -> TokenForm:
    return TokenForm(values={"assertion": text or jwt({"iss": ISSUER})} | values, resources=())


def test_a_workload_shows_its_token_alone() -> None:
    asked = token.read_workload(form(scope="a:read", client_id="wif_1"), authorization=False)
    assert (asked.issuer, asked.rule, asked.scope, asked.resource) == (ISSUER, "wif_1", ("a:read",), None)
    assert token.read_workload(form(), authorization=False).rule is None


@pytest.mark.parametrize("text", ["x", jwt({"iss": 1}), jwt({}), jwt({"iss": "a\nb"}), jwt({"iss": "x" * 2000}),
                                  jwt({"iss": ISSUER}, typ="at+jwt"), jwt({"iss": ISSUER}, typ="oauth-id-jag+jwt"),
                                  jwt({"iss": ISSUER}, alg="none"), jwt({"iss": ISSUER}, kid=1)])  # fmt: skip
def test_J2_J8_J10_what_is_no_token_of_a_platform_is_refused_alike(text: str) -> None:
    with pytest.raises(OAuthError) as refused:
        token.read_workload(form(text=text), authorization=False)
    assert (refused.value.error, refused.value.fault) == ("invalid_grant", faults.WORKLOAD_UNTRUSTED)


@pytest.mark.parametrize("name", ["client_secret", "client_assertion", "client_assertion_type", "header"])
def test_credentials_beside_it_are_refused(name: str) -> None:
    sent = form() if name == "header" else form(**{name: "x"})
    with pytest.raises(OAuthError) as refused:
        token.read_workload(sent, authorization=name == "header")
    assert refused.value.error == "invalid_request"
    with pytest.raises(OAuthError):
        token.read_workload(TokenForm(values={}, resources=()), authorization=False)
