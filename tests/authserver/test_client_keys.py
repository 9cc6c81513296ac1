"""Clients whose document says where their keys are (``jwks_uri``; CIMD draft -02 section 8.2; security C29, F2, F14)."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import httpx2
import pytest
from tests.authserver.deployment import KEYED, MCP, PUBLIC_URL
from tests.authserver.test_client_documents import Live
from tests.authserver.world import World, az, is_page, is_token_error, tk

from doorward.clients import profiles
from doorward.model import ClientId
from doorward.storage import client_documents, clients
from support.assertions import EC, RSA, STRANGER, TYPE, KeyPair
from support.https_server import http, https_server, trust

pytestmark = pytest.mark.anyio

HOST = "app.example"
WEB = "https://app.example/cb"


@dataclass
class Keyed(Live):
    """A vendor that publishes a document and, at another URL, the keys that the document names."""

    keys: bytes = b""
    asked: int = 0
    headers: tuple[str, ...] = ()
    answered: Callable[[], bytes] | None = None
    method: str = "private_key_jwt"
    document_members: dict[str, Any] = field(default_factory=dict)

    def publish(self, *_headers: str, kind: str = "", **changed: Any) -> None:  # noqa: ARG002
        self.document_members = changed
        self.keys = self.keys or jwks(EC)
        self.vendor.answer = self._answer

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        path = self.vendor.requests[-1].split()[1]
        if path == "/jwks.json":
            self.asked += 1
            writer.write(self.answered() if self.answered else http(self.keys, *self.headers))
        else:
            members = {
                "redirect_uris": [WEB], "token_endpoint_auth_method": self.method,
                "jwks_uri": self.vendor.url("/jwks.json"), **self.document_members,
            }  # fmt: skip
            writer.write(http(json.dumps(self.document(**members)).encode()))
        await writer.drain()

    def proof(self, jti: str, pair: KeyPair = EC, **header: Any) -> dict[str, str]:
        now = self.world.clock.now // 1_000_000
        said = {
            "iss": self.url,
            "sub": self.url,
            "aud": "http://127.0.0.1:8080",
            "iat": now,
            "exp": now + 300,
            "jti": jti,
        }
        return {"client_assertion_type": TYPE, "client_assertion": pair.sign(said, **header)}

    async def code(self) -> dict[str, str]:
        """Return the form that redeems a new code, without proof."""
        code = await self.world.code(params=az(client_id=self.url, redirect_uri=WEB))
        return tk(code) | {"redirect_uri": WEB, "client_id": self.url}

    async def connect(self, jti: str = "first", **header: Any) -> dict[str, Any]:
        answer = await self.world.token(await self.code() | self.proof(jti, **header))
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]

    async def refresh(self, token: str, proof: dict[str, str]) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": self.url}
        return await self.world.token(form | proof)


def jwks(*pairs: KeyPair, **names: KeyPair) -> bytes:
    keys = [pair.public() for pair in pairs] + [pair.public(name) for name, pair in names.items()]
    return json.dumps({"keys": keys}).encode()


@pytest.fixture
async def keyed(make_world: Callable[..., World]) -> AsyncIterator[Keyed]:
    async with https_server(trust(HOST)[0]) as vendor:
        yield Keyed(make_world, vendor)


@pytest.mark.requirement("spec/CIMD16", "spec/CIMD7")
async def test_a_client_signs_with_the_keys_that_its_document_points_at(keyed: Keyed) -> None:
    unproven = await keyed.code()
    is_token_error(await keyed.world.token(unproven), "invalid_client", 401)
    assert keyed.asked == 0, "nobody's keys are fetched before they are needed"
    tokens = await keyed.connect()
    assert await keyed.world.works(tokens["access_token"])
    is_token_error(await keyed.refresh(tokens["refresh_token"], {}), "invalid_client", 401)
    refreshed = await keyed.refresh(tokens["refresh_token"], keyed.proof("second"))
    assert refreshed.status_code == 200, refreshed.text
    assert keyed.asked == 1


async def test_C29_what_other_keys_signed_is_refused_and_asks_nobody_again(keyed: Keyed) -> None:
    form = await keyed.code()
    for number, pair in enumerate((STRANGER, RSA)):
        is_token_error(await keyed.world.token(form | keyed.proof(str(number), pair)), "invalid_client", 401)
    is_token_error(await keyed.world.token(form | keyed.proof("k", STRANGER, kid="made-up")), "invalid_client", 401)
    assert keyed.asked == 1
    assert (await keyed.world.token(form | keyed.proof("good"))).status_code == 200


async def test_a_new_key_is_known_after_five_minutes_and_an_old_one_good_for_nothing(keyed: Keyed) -> None:
    keyed.keys, keyed.headers = jwks(one=EC), ("Cache-Control: max-age=86400",)
    tokens = await keyed.connect(kid="one")
    keyed.keys = jwks(two=STRANGER)
    early = await keyed.refresh(tokens["refresh_token"], keyed.proof("a", STRANGER, kid="two"))
    is_token_error(early, "invalid_client", 401)
    keyed.world.clock.forward(301)
    later = await keyed.refresh(tokens["refresh_token"], keyed.proof("b", STRANGER, kid="two"))
    assert later.status_code == 200, later.text
    gone = await keyed.refresh(later.json()["refresh_token"], keyed.proof("c", EC, kid="one"))
    is_token_error(gone, "invalid_client", 401)
    assert keyed.asked == 2


async def test_a_vendor_that_is_away_ends_no_connection(keyed: Keyed) -> None:
    tokens = await keyed.connect()
    keyed.world.clock.forward(86_400)
    keyed.answered = lambda: http(b"", status="503 Service Unavailable")
    away = await keyed.refresh(tokens["refresh_token"], keyed.proof("a"))
    is_token_error(away, "temporarily_unavailable", 503)
    assert away.headers["retry-after"] == "30"
    keyed.answered = None
    keyed.world.clock.forward(31)
    assert (await keyed.refresh(tokens["refresh_token"], keyed.proof("b"))).status_code == 200


@pytest.mark.parametrize(
    "answer",
    [
        http(b"", status="404 Not Found"), http(b"", status="302 Found"), http(b"[]"), http(b"{"), http(b'{"keys": []}'),
        http(b"\xff"), http(b'{"keys": [{"kty": "oct", "k": "AA"}]}'), http(b" " * 20_000),
    ],
)  # fmt: skip
async def test_F14_what_is_no_key_set_is_not_kept_and_not_used(keyed: Keyed, answer: bytes) -> None:
    tokens = await keyed.connect()
    keyed.world.clock.forward(86_400)
    keyed.answered = lambda: answer
    is_token_error(await keyed.refresh(tokens["refresh_token"], keyed.proof("a")), "invalid_client", 401)
    name = ClientId(f"jwks {keyed.vendor.url('/jwks.json')}")
    assert await keyed.world.database.read(lambda reader: client_documents.document_by_url(reader, name)) is None
    assert await keyed.world.works((await _again(keyed, tokens))["access_token"])


async def _again(keyed: Keyed, tokens: dict[str, Any]) -> dict[str, Any]:
    keyed.answered = None
    return (await keyed.refresh(tokens["refresh_token"], keyed.proof("z"))).json()  # type: ignore[no-any-return]


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1"])
async def test_F2_F14_keys_at_a_private_address_are_not_fetched(keyed: Keyed, address: str) -> None:
    form = await keyed.code()
    keyed.addresses = [address]
    is_token_error(await keyed.world.token(form | keyed.proof("a")), "invalid_client", 401)
    assert keyed.asked == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"jwks_uri": "http://app.example/jwks.json"}, {"jwks_uri": "https://127.0.0.1/jwks.json"}, {"jwks_uri": None},
        {"jwks_uri": "https://app.example:22/jwks.json"}, {"jwks_uri": "https://u@app.example/jwks.json"},
        {"jwks": {"keys": [EC.public()]}},
    ],
)  # fmt: skip
async def test_F8_a_document_with_keys_at_no_url_or_at_two_places_is_refused(
    keyed: Keyed, changed: dict[str, Any]
) -> None:
    keyed.publish(**changed)
    is_page(await keyed.open(redirect_uri=WEB), "DW-152")


async def test_a_document_that_says_none_may_sign_and_must_sign_rightly_then(keyed: Keyed) -> None:
    """ChatGPT's lists both and signs where that is offered."""
    keyed.method = "none"
    tokens = await keyed.connect()
    assert (await keyed.refresh(tokens["refresh_token"], {})).status_code == 200
    form = await keyed.code()
    is_token_error(await keyed.world.token(form | keyed.proof("bad", STRANGER)), "invalid_client", 401)
    is_token_error(await keyed.world.token(form | {"client_secret": "x"}), "invalid_client", 401)
    assert (await keyed.world.token(form)).status_code == 200
    alone = {"grant_type": "client_credentials"} | keyed.proof("alone")
    is_token_error(await keyed.world.token(alone), "unauthorized_client")


async def test_a_public_client_without_keys_cannot_sign(keyed: Keyed) -> None:
    keyed.method = "none"
    keyed.publish(jwks_uri=None)
    is_token_error(await keyed.world.token(await keyed.code() | keyed.proof("a")), "invalid_client", 401)
    assert keyed.asked == 0


async def test_a_key_set_is_no_document_and_a_document_no_key_set(keyed: Keyed) -> None:
    """Whoever names the keys' URL as a client does not push the keys out."""
    tokens = await keyed.connect()
    is_page(await keyed.open(client_id=keyed.vendor.url("/jwks.json")), "DW-152")
    before = keyed.asked
    assert (await keyed.refresh(tokens["refresh_token"], keyed.proof("a"))).status_code == 200
    assert keyed.asked == before


async def test_many_who_need_the_same_keys_wait_for_one_fetch(keyed: Keyed) -> None:
    forms = [await keyed.code() for _ in range(8)]
    answers: list[int] = []

    async def redeem(number: int) -> None:
        answers.append((await keyed.world.token(forms[number] | keyed.proof(f"j{number}"))).status_code)

    async with anyio.create_task_group() as group:
        for number in range(len(forms)):
            group.start_soon(redeem, number)
    assert answers == [200] * len(forms)
    assert keyed.asked == 1


async def test_where_nothing_is_fetched_nothing_is_believed(keyed: Keyed) -> None:
    form = await keyed.code()
    keyed.restart(cimd_policy="pinned", bundled_documents={keyed.url: keyed.document(
        redirect_uris=[WEB], token_endpoint_auth_method="none", jwks_uri=keyed.vendor.url("/jwks.json"),
    )})  # fmt: skip
    is_token_error(await keyed.world.token(form | keyed.proof("a")), "invalid_client", 401)
    assert keyed.asked == 0
    assert (await keyed.world.token(form)).status_code == 200


async def test_old_keys_are_good_for_nothing_where_no_new_ones_can_be_had(keyed: Keyed) -> None:
    keyed.method = "none"
    tokens = await keyed.connect()
    copy = keyed.document(
        redirect_uris=[WEB], token_endpoint_auth_method="none", jwks_uri=keyed.vendor.url("/jwks.json")
    )
    keyed.restart(cimd_policy="pinned", bundled_documents={keyed.url: copy})
    fresh = await keyed.refresh(tokens["refresh_token"], keyed.proof("a"))
    assert fresh.status_code == 200, fresh.text
    keyed.world.clock.forward(86_401)
    stale = await keyed.refresh(fresh.json()["refresh_token"], keyed.proof("b"))
    is_token_error(stale, "invalid_client", 401)


def test_our_copy_of_chatgpts_document_says_where_its_keys_are() -> None:
    copy = profiles.bundled_documents()["https://chatgpt.com/oauth/client.json"]
    assert copy["jwks_uri"] == "https://chatgpt.com/oauth/jwks.json"


async def test_a_client_that_an_administrator_registered_may_keep_its_keys_at_a_url(keyed: Keyed) -> None:
    world = keyed.world
    at_url = replace(KEYED, jwks=(), jwks_uri=keyed.vendor.url("/jwks.json"))
    await world.database.write(lambda tx: clients.update_client(tx, at_url))
    keyed.restart(cimd_policy="off")
    world = keyed.world
    form = {"grant_type": "client_credentials", "resource": MCP}

    def proof(jti: str, pair: KeyPair = EC) -> dict[str, str]:
        now = world.clock.now // 1_000_000
        said = {"iss": "keyed", "sub": "keyed", "aud": PUBLIC_URL, "iat": now, "exp": now + 300, "jti": jti}
        return {"client_assertion_type": TYPE, "client_assertion": pair.sign(said)}

    answer = await world.token(form | proof("a"))
    assert answer.status_code == 200, answer.text
    assert keyed.asked == 1
    is_token_error(await world.token(form | proof("b", STRANGER)), "invalid_client", 401)
    is_token_error(await world.token(form | proof("a")), "invalid_client", 401)
    assert keyed.asked == 1
