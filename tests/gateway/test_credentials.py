"""What is accepted as a credential, and for how long: groups I and J of the catalogue, at the gateway itself."""

import base64
import gc
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc import jws
from joserfc.jwk import ECKey
from tests.gateway.deployment import ACME, ADMIN, EVERYTHING, READ, RULES, START, WRITE, user
from tests.gateway.recorder import Recorder
from tests.gateway.world import FINGERPRINTER, PUBLIC, World

from doorward.credentials import secret
from doorward.credentials.authenticate import Door, Unauthenticated
from doorward.credentials.issuer import ACCESS_TOKEN_TYP
from doorward.gateway.credential_uses import CredentialUses
from doorward.model import SECOND, CredentialKind, Instant, Permission, Resource, ResourceId, RuleKind, Status, UserId
from doorward.storage import accounts, api_keys, connections, permissions
from doorward.storage.database import Transaction
from support.rows import without_membership

pytestmark = pytest.mark.anyio

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
FOLDER_NODE = Resource(id=ResourceId("r-odd"), tenant_id=ACME.id, type="folder", key="odd", name="Odd")


def resealed(text: str) -> str:
    """Return an API key's text with the checksum that belongs to it now."""
    return secret._sealed(text[: -secret.CHECKSUM_LENGTH])


def turned(text: str, index: int) -> str:
    """Return ``text`` with another character at ``index``."""
    other = "a" if text[index] != "a" else "b"
    return text[:index] + other + text[index + 1 :]


def strangers(key: str) -> dict[str, str]:
    """Return keys of the right form that nobody was given: unknown id, wrong secret in its first and its last byte."""
    start = key.index("_") + 1
    secret_start = start + secret.KEY_ID_LENGTH
    return {
        "unknown id": resealed(turned(key, start + 3)),
        "first character": resealed(turned(key, secret_start)),
        "last character": resealed(turned(key, len(key) - secret.CHECKSUM_LENGTH - 1)),
    }


async def test_I2_I3_an_unknown_id_and_a_wrong_secret_are_one_answer_and_take_one_time(
    world: World, recorder: Recorder
) -> None:
    key = await world.key("bob")
    false = strangers(key)
    answers = {why: await world.call(one, "echo") for why, one in false.items()}
    assert {answer.status_code for answer in answers.values()} == {401}
    assert len({answer.text for answer in answers.values()}) == 1
    assert recorder.requests == []
    door = Door(issuer=PUBLIC, keys=world.ring.look, fingerprinter=FINGERPRINTER, prefix="dw")
    took: dict[str, list[float]] = {why: [] for why in false}

    def sample(reader: Any) -> None:
        for _ in range(500):
            for why, one in false.items():
                begun = time.perf_counter()
                with pytest.raises(Unauthenticated, match="unknown api key"):
                    door.authenticate(reader, one, now=START)
                took[why].append(time.perf_counter() - begun)

    gc.disable()
    try:
        await world.database.read(sample)
    finally:
        gc.enable()
    medians = [statistics.median(times) for times in took.values()]
    assert max(medians) - min(medians) < 0.001, medians


def everything_in(folder: Path) -> bytes:
    """Return the bytes of the database and of its journal."""
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


async def test_I4_nothing_in_the_database_is_of_use_as_a_key(world: World, tmp_path: Path) -> None:
    keys = [await world.key("bob") for _ in range(10)]
    assert [(await world.call(key, "echo")).status_code for key in keys] == [200] * 10
    stored = everything_in(tmp_path)
    assert stored.count(FINGERPRINTER.of(keys[0]).encode()) >= 1, "the dump was read"
    for key in keys:
        start = key.index("_") + 1 + secret.KEY_ID_LENGTH
        body = key[start : -secret.CHECKSUM_LENGTH]
        for part in (body, body[:12], body[-12:], base64.b64encode(key.encode()).decode()):
            assert part.encode() not in stored


Change = Callable[[Transaction], object]


def _of_user(status: Status) -> Change:
    return lambda tx: accounts.update_user(tx, replace(user("bob"), status=status))


def _of_tenant(status: Status) -> Change:
    return lambda tx: accounts.update_tenant(tx, replace(ACME, status=status))


def _back(tx: Transaction) -> object:
    return permissions.set_membership(tx, ACME.id, user("bob").id, ("editor",))


@pytest.mark.parametrize(
    ("ends", "begins"),
    [
        (_of_user(Status.DISABLED), _of_user(Status.ACTIVE)),
        (lambda tx: without_membership(tx, ACME.id, user("bob").id), _back),
        (_of_tenant(Status.DISABLED), _of_tenant(Status.ACTIVE)),
    ],
    ids=["owner disabled", "owner removed", "tenant suspended"],
)
@pytest.mark.parametrize("kind", ["key", "token"])
async def test_I5_what_ends_an_owner_ends_his_credentials_at_once_and_lets_them_back(
    world: World, recorder: Recorder, kind: str, ends: Change, begins: Change
) -> None:
    bob = await (world.key("bob") if kind == "key" else world.token("bob", READ))
    for change, status in ((begins, 200), (ends, 401), (begins, 200), (ends, 401)):
        await world.database.write(change)
        recorder.forget()
        for method in ("tools/call", "tools/list"):
            response = await world.modern(bob, method, {"name": "echo", "arguments": {}} if "call" in method else {})
            assert response.status_code == status
        assert bool(recorder.seen()) is (status == 200)


async def test_I5_a_key_that_ended_is_none(world: World, recorder: Recorder) -> None:
    key, ending = await world.key("bob"), await world.key("bob", lifetime=5)
    assert (await world.call(key, "echo")).status_code == (await world.call(ending, "echo")).status_code == 200
    world.clock.offset += 5 * SECOND
    assert ((await world.call(ending, "echo")).status_code, (await world.call(key, "echo")).status_code) == (401, 200)
    await world.database.write(
        lambda tx: [
            api_keys.revoke_api_key(tx, ACME.id, one.id, START) for one in api_keys.api_keys_of_user(tx, user("bob").id)
        ]
    )
    recorder.forget()
    assert (await world.call(key, "echo")).status_code == 401
    assert recorder.requests == []


async def test_I5_a_key_from_the_future_is_none_yet(world: World, recorder: Recorder) -> None:
    key = await world.key("bob")
    world.clock.offset -= 120 * SECOND
    assert (await world.call(key, "echo")).status_code == 401
    assert recorder.requests == []


DOORS: dict[tuple[str, str], dict[str, Any]] = {
    ("tools/call", "echo"): {"name": "echo", "arguments": {}},
    ("tools/call", "write_note"): {"name": "write_note", "arguments": {"folder": "f1"}},
    ("tools/call", "drop_db"): {"name": "drop_db", "arguments": {}},
    ("tools/call", "plain"): {"name": "plain", "arguments": {}},
    ("resources/read", "mem://open"): {"uri": "mem://open"},
    ("resources/read", "mem://secret"): {"uri": "mem://secret"},
    ("resources/read", "mem://docs/d1"): {"uri": "mem://docs/d1"},
    ("resources/read", "mem://vault/x"): {"uri": "mem://vault/x"},
    ("prompts/get", "p_open"): {"name": "p_open"},
    ("prompts/get", "p_secret"): {"name": "p_secret"},
}
NEEDS = {
    "echo": READ, "write_note": WRITE, "drop_db": ADMIN, "plain": Permission("s1:read"), "mem://open": READ,
    "mem://secret": ADMIN, "mem://docs/d1": READ, "mem://vault/x": ADMIN, "p_open": READ, "p_secret": ADMIN,
}  # fmt: skip


async def test_I7_a_key_does_what_its_stored_scopes_say_and_nothing_else(world: World, recorder: Recorder) -> None:
    """Every door with every pair of scopes, by an owner who may do all of it."""
    ruled = {rule.match for rule in RULES if rule.kind is not RuleKind.TOOL}
    assert ruled == {"mem://open", "mem://secret", "mem://docs/{document}", "mem://vault/{item}", "p_open", "p_secret"}
    for scopes in combinations(sorted(EVERYTHING), 2):
        key = await world.key("alice", *scopes)
        for (method, name), params in DOORS.items():
            recorder.forget()
            response = await world.modern(key, method, params)
            may = NEEDS[name] in scopes
            assert (response.status_code == 200, recorder.seen()) == (may, [method] if may else []), (scopes, name)


async def test_I9_a_node_is_found_by_its_whole_key_whatever_that_is(world: World, recorder: Recorder) -> None:
    """A product's ids may hold anything printable; none of it is a pattern, a path or a list."""
    odd = ("../f1", "*", "f1:admin", "f", "f1/", "F1", "f%31", "f1,f2", "f2/../f1")
    await world.database.write(
        lambda tx: permissions.put_resources(
            tx, ACME.id,
            [replace(FOLDER_NODE, id=ResourceId(f"r-odd{index}"), key=key) for index, key in enumerate(odd)],
        )
    )  # fmt: skip
    for index, own in enumerate(odd):
        key = await world.key("bob", WRITE, resources=frozenset({ResourceId(f"r-odd{index}")}))
        for other in (*odd, "f1", "f2"):
            recorder.forget()
            response = await world.call(key, "write_note", {"folder": other})
            done = response.json()["result"]["isError"] is False
            assert (done, recorder.seen()) == (own == other, ["tools/call"] if own == other else []), (own, other)


async def test_I11_a_credential_is_taken_in_one_form_only(world: World, recorder: Recorder) -> None:
    key, other = await world.key("bob"), await world.key("alice")
    accepted = await world.post(None, PING, headers={"authorization": f"bearer {key}"})
    assert accepted.status_code == 200  # RFC 9110 section 11.1: the scheme has no case.
    for headers in (
        {"authorization": f"ApiKey {key}"},
        {"authorization": f"Token {key}"},
        {"authorization": key},
        {"authorization": f"Basic {base64.b64encode(f'x:{key}'.encode()).decode()}"},
        {"x-api-key": key},
        {"api-key": key},
        {"proxy-authorization": f"Bearer {key}"},
        {"cookie": f"session={key}; __Host-session={key}; access_token={key}"},
    ):
        assert (await world.post(None, PING, headers=headers)).status_code == 401, headers
    # A header that is no credential here does not take the place of one that is, nor add to it.
    for headers in ({"x-api-key": other}, {"cookie": f"session={other}"}, {"proxy-authorization": f"Bearer {other}"}):
        who = await world.modern(key, "tools/call", {"name": "whoami", "arguments": {}}, headers=headers)
        assert who.json()["result"]["structuredContent"]["user"]["email"] == "bob@test.example"
        assert (await world.modern(key, "tools/call", {"name": "drop_db"}, headers=headers)).status_code == 400
    for first, second in (
        (f"Bearer {key}", f"Bearer {other}"),
        (f"Bearer {key}", f"Bearer {key}"),
        ("Basic x", f"Bearer {key}"),
    ):
        sent = [("authorization", first), ("authorization", second), ("content-type", "application/json")]
        assert (await world.http.post("/mcp", content=json.dumps(PING), headers=sent)).status_code == 400
    assert (await world.post(None, PING, headers={"authorization": f"Bearer {key}, Bearer {other}"})).status_code == 401
    assert recorder.seen() == []


async def test_I12_a_credential_that_fails_is_never_tried_as_another(world: World, recorder: Recorder) -> None:
    key, token = await world.key("bob"), await world.token("bob", READ)
    foreign = ECKey.generate_key("P-256")
    header = {"typ": ACCESS_TOKEN_TYP, "alg": "ES256", "kid": foreign.thumbprint()}
    elsewhere = jws.serialize_compact(header, b'{"iss":"https://elsewhere.example"}', foreign, algorithms=["ES256"])
    for one in (
        "sk-1234567890abcdef1234567890abcdef", "sk_live_abc", f"dw_{token}", f"{key}.{token}", f"xx{key}",
        key.removeprefix("dw_"), key.upper(), key[:-1], elsewhere, token + "=", "null", "undefined", "Bearer",
        f"dwr_{key.removeprefix('dw_')}", "0", "anonymous", "",
    ):  # fmt: skip
        response = await world.post(None, PING, headers={"authorization": f"Bearer {one}".strip()})
        assert response.status_code == 401, one
        assert response.json().keys() == {"jsonrpc", "id", "error"}
    assert recorder.requests == []


async def test_I15_who_used_a_key_is_the_peer_and_no_header(world: World) -> None:
    key = await world.key("bob")
    lies = {
        "x-forwarded-for": "203.0.113.9", "forwarded": "for=203.0.113.9", "x-real-ip": "203.0.113.9",
        "x-client-ip": "203.0.113.9", "cf-connecting-ip": "203.0.113.9", "true-client-ip": "203.0.113.9",
    }  # fmt: skip
    await world.modern(key, "tools/call", {"name": "echo", "arguments": {}}, headers=lies)
    assert [use[3] for use in world.touched] == ["127.0.0.1"]
    assert "203.0.113.9" not in str(world.calls)


async def test_I15_noting_a_use_waits_for_nothing(world: World) -> None:
    uses = CredentialUses(world.database)
    await world.database.close()
    begun = time.perf_counter()
    for number in range(10_000):
        uses.touch(CredentialKind.API_KEY, str(number % 50), START, "127.0.0.1", "x")
    assert time.perf_counter() - begun < 1


def claims(token: str) -> dict[str, Any]:
    """Return what a token of ours says."""
    body = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


Alter = Callable[[dict[str, Any]], Any]


async def refused_as(world: World, recorder: Recorder, token: str, *changes: Alter) -> None:
    """Sign the token's claims again with our own key, changed: each must be a 401 that reaches nobody."""
    assert (await world.call(token, "echo")).status_code == 200, "the unchanged token is good"
    ring = world.ring.current()
    assert (await world.call(ring.sign(claims(token), ACCESS_TOKEN_TYP), "echo")).status_code == 200, "so is its twin"
    recorder.forget()
    for change in changes:
        said = claims(token)
        change(said)
        response = await world.call(ring.sign(said, ACCESS_TOKEN_TYP), "echo")
        assert response.status_code == 401, said
        assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert recorder.seen() == []


async def test_J6_a_token_names_this_url_and_no_other(world: World, recorder: Recorder) -> None:
    token = await world.token("bob", READ)
    ours = claims(token)["aud"]
    wrong: list[Any] = [
        f"{PUBLIC}/other", [ours], ["https://evil.example", ours], [ours, ours], f"{ours}x", f"{ours}/", ours.upper(),
        ours.replace("127.0.0.1", "localhost"), "c1", PUBLIC, "", None, 1, {"url": ours}, f"{PUBLIC}/acme/mcp", f" {ours}",
    ]  # fmt: skip
    changes: list[Alter] = [lambda said, aud=aud: said.update(aud=aud) for aud in wrong]  # type: ignore[misc]
    await refused_as(world, recorder, token, *changes, lambda said: said.pop("aud"))
    # A token for another server of ours, signed as ever.
    assert (await world.call(await world.token("bob", READ, path="/other"), "echo")).status_code == 401


async def test_J4_J7_a_token_is_of_this_issuer_and_signed_by_a_key_of_this_ring(
    world: World, recorder: Recorder
) -> None:
    token = await world.token("bob", READ)
    wrong: list[Any] = [f"{PUBLIC}/", f"{PUBLIC}/acme", "https://evil.example", PUBLIC.upper(), "", None, [PUBLIC]]
    changes: list[Alter] = [lambda said, iss=iss: said.update(iss=iss) for iss in wrong]  # type: ignore[misc]
    await refused_as(world, recorder, token, *changes, lambda said: said.pop("iss"))
    # Another issuer's key under the id of ours.
    kid = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"]
    header = {"typ": ACCESS_TOKEN_TYP, "alg": "ES256", "kid": kid}
    forged = jws.serialize_compact(
        header, json.dumps(claims(token)).encode(), ECKey.generate_key("P-256"), algorithms=["ES256"]
    )
    assert (await world.call(forged, "echo")).status_code == 401


async def test_J9_times_are_integers_of_now(world: World, recorder: Recorder) -> None:
    token = await world.token("bob", READ)
    now = world.clock() // SECOND
    times: list[tuple[str, Any]] = [
        ("exp", now - 1), ("exp", 0), ("exp", -1), ("exp", 1e308), ("exp", float(now + 60)), ("exp", str(now + 60)),
        ("exp", True), ("exp", None), ("exp", [now + 60]), ("nbf", now + 61), ("nbf", "x"), ("iat", now + 3600),
        ("iat", True), ("iat", str(now)), ("iat", None),
    ]  # fmt: skip
    changes: list[Alter] = [lambda said, name=name, at=at: said.update({name: at}) for name, at in times]  # type: ignore[misc]
    await refused_as(
        world, recorder, token, *changes, lambda said: said.pop("exp"), lambda said: said.pop("iat")
    )  # fmt: skip


async def test_J9_a_token_never_outlives_its_connection(world: World) -> None:
    token = await world.token("bob", READ)
    said = {**claims(token), "exp": 10**15}
    forever = world.ring.current().sign(said, ACCESS_TOKEN_TYP)
    assert (await world.call(forever, "echo")).status_code == 200
    world.clock.offset += 3601 * SECOND
    assert (await world.call(forever, "echo")).status_code == 401


async def test_J5_J11_a_header_that_asks_for_more_is_refused(world: World, recorder: Recorder) -> None:
    token = await world.token("bob", READ)
    head, body, _ = token.split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    for extra in (
        {"crit": ["x"], "x": 1},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"b64": True},
        {"zip": "DEF"},
    ):
        made = f"{part({**header, **extra})}.{body}"
        signed = f"{made}.{_signed(world, made)}"
        assert (await world.call(signed, "echo")).status_code == 401, extra
    # JWE: five parts, never opened.
    for alg, more in (("RSA1_5", {}), ("PBES2-HS256+A128KW", {"p2c": 10**9, "p2s": "x"}), ("dir", {"zip": "DEF"})):
        jwe = ".".join([part({"alg": alg, "enc": "A128CBC-HS256", **more}), "a" * 40, "b" * 20, body[:2000], "c" * 22])
        begun = time.perf_counter()
        assert (await world.call(jwe, "echo")).status_code == 401
        assert time.perf_counter() - begun < 0.5
    assert recorder.seen() == []


def _signed(world: World, text: str) -> str:
    """Return the ES256 signature of our own key over ``text``."""
    key = next(one for one in world.keys.ring if one.algorithm == "ES256").key.private_key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return base64.urlsafe_b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).rstrip(b"=").decode()


async def test_J15_somebody_else_with_the_same_name_is_somebody_else(world: World, recorder: Recorder) -> None:
    """An account made anew with the mail address of an old one has none of its credentials."""
    token, key = await world.token("bob", READ), await world.key("bob")
    subjects = ("u-alice", "U-BOB", "u-bob ", "bob@test.example", "", None)
    changes: list[Alter] = [lambda said, sub=sub: said.update(sub=sub) for sub in subjects]  # type: ignore[misc]
    await refused_as(world, recorder, token, *changes)
    old = replace(user("bob"), email="old@test.example", status=Status.DISABLED)
    new = replace(user("bob"), id=UserId("u-bob-2"))
    await world.database.write(lambda tx: accounts.update_user(tx, old))
    await world.database.write(lambda tx: accounts.insert_user(tx, new, None))
    await world.database.write(lambda tx: permissions.set_membership(tx, ACME.id, new.id, ("owner",)))
    for one in (token, key):
        assert (await world.call(one, "echo")).status_code == 401


async def test_J13_J15_the_tenant_of_a_token_is_the_tenant_of_its_connection(world: World, recorder: Recorder) -> None:
    token = await world.token("bob", READ)
    await refused_as(
        world, recorder, token,
        lambda said: said.update(tenant="t-globex"), lambda said: said.update(client_id="c2"),
        lambda said: said.update(connection="n999"), lambda said: said.pop("tenant"),
    )  # fmt: skip


async def test_J14_a_token_says_no_more_than_its_connection(world: World, recorder: Recorder) -> None:
    token = await world.token("alice", READ)
    more = world.ring.current().sign({**claims(token), "scope": "documents:read admin:delete *:*"}, ACCESS_TOKEN_TYP)
    recorder.forget()
    response = await world.call(more, "drop_db")
    assert response.status_code == 403
    assert recorder.seen() == []


async def test_J18_credentials_that_begin_alike_are_two(world: World) -> None:
    bob, alice = await world.token("bob", READ), await world.token("alice", READ)
    assert bob[:64] == alice[:64], "both begin with the same header"

    async def who(token: str) -> str:
        answer = await world.modern(token, "tools/call", {"name": "whoami", "arguments": {}})
        return str(answer.json()["result"]["structuredContent"]["user"]["email"])

    for _ in range(3):
        assert await who(bob) == "bob@test.example"
        assert await who(alice) == "alice@test.example"
    for index in (70, 100, -1, -20):
        assert (await world.call(turned(bob, index % len(bob)), "echo")).status_code == 401
        assert await who(bob) == "bob@test.example"


async def test_J18_a_failure_is_not_kept_and_never_as_success(world: World) -> None:
    """A key that is not there yet is good as soon as it is; storage that fails makes nobody anybody."""
    token = await world.token("bob", READ)
    connection = await world.database.read_long(lambda r: connections.connections_of_user(r, user("bob").id)[0])
    live = world.gateway._live
    real = live._authenticate
    failing = True

    def sometimes(reader: Any, presented: str, *, now: Instant) -> Any:
        if failing:
            raise Unauthenticated("the back end is not there")
        return real(reader, presented, now=now)

    live._authenticate = sometimes
    for _ in range(2):
        assert (await world.call(token, "echo")).status_code == 401
    failing = False
    assert (await world.call(token, "echo")).status_code == 200
    assert connection.revoked_at is None
    failing = True
    await world.role("bob", "viewer")  # What was kept counts no more; what cannot be read is no yes.
    assert (await world.call(token, "echo")).status_code == 401
