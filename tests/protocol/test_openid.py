"""What an ID token and a sign-out request say, without a server."""

import pytest

from doorward.model import ClientId, Instant, OwnerKind, Status, Tenant, TenantId, User, UserId
from doorward.protocol import faults, id_token, logout, scope
from doorward.protocol.errors import PageError
from doorward.protocol.id_token import SignedIn

NOW = Instant(1_790_000_000_999_999)
ACME = Tenant(id=TenantId("t1"), slug="acme", name="Acme", status=Status.ACTIVE, created_at=NOW)
INES = User(
    id=UserId("u1"), email="ines@acme.example", name="Ines", kind=OwnerKind.PERSON, status=Status.ACTIVE, created_at=NOW
)


def facts(nonce: str | None) -> SignedIn:
    return SignedIn(
        user_id=INES.id, client_id=ClientId("c"), tenant=ACME, authenticated_at=Instant(5_000_001), nonce=nonce,
        algorithm="RS256",
    )  # fmt: skip


def test_times_are_whole_seconds_and_a_nonce_is_there_only_if_it_was_sent() -> None:
    said = id_token.claims(facts(None), issuer="https://i.example", access_token="a", now=NOW)
    assert (said["iat"], said["exp"], said["auth_time"]) == (1_790_000_000, 1_790_003_600, 5)
    assert "nonce" not in said
    assert id_token.claims(facts("n"), issuer="i", access_token="a", now=NOW)["nonce"] == "n"
    assert said.keys() <= set(id_token.CLAIMS)


@pytest.mark.parametrize(
    ("scopes", "told"), [((), set()), (("profile",), {"name"}), (("email",), {"email", "email_verified"})]
)
def test_userinfo_tells_what_was_granted(scopes: tuple[str, ...], told: set[str]) -> None:
    assert id_token.userinfo(INES, scopes, {"tenant": "acme"}).keys() == {"sub", "tenant"} | told


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (None, ()),
        ((), ()),
        (("email", "profile", "a:read"), ()),
        (("email", "a:read", "openid", "address"), ("openid", "email")),
    ],
    ids=str,
)
def test_without_openid_nothing_of_the_person_is_asked(asked: tuple[str, ...] | None, kept: tuple[str, ...]) -> None:
    assert scope.identity(asked) == kept


def test_D9_a_sign_out_request_is_read_and_its_way_back_kept_byte_for_byte() -> None:
    read = logout.parse([("client_id", "c"), ("state", "s" * 5000), ("ui_locales", "de"), ("id_token_hint", "")])
    assert (read.client_id, read.id_token_hint, len(read.state or "")) == ("c", None, logout.MAX_STATE)
    assert logout.location("https://a.example/b", None) == "https://a.example/b"
    assert logout.location("https://a.example/b?c=d", "e&f") == "https://a.example/b?c=d&state=e%26f"
    assert logout.location("https://a.example/b", "ä \ud800") == "https://a.example/b?state=%C3%A4%20%3F"
    with pytest.raises(PageError) as refused:
        logout.parse([("state", "a"), ("state", "b")])
    assert refused.value.fault is faults.LOGOUT_INVALID
