"""Where servers of tenants may be: every address judged, and only a judged one connected to (L19; F2 to F5)."""

import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from tests.gateway.recorder import Recorder, reply
from tests.policy.test_rates import ALICE

from doorward.gateway.http_connection import UpstreamError, UpstreamFailure
from doorward.gateway.http_pool import HttpPool, target
from doorward.gateway.outside import MAX_ADDRESSES, Outside
from doorward.gateway.sessions import identity
from doorward.gateway.stdio.servers import StdioServers
from doorward.gateway.upstream import Envelope, Upstream
from doorward.gateway.upstream_auth import UpstreamAuth
from doorward.gateway.upstreams import Upstreams
from doorward.model import Server, ServerId, TenantId
from doorward.web.lookups import MAX_LOOKUPS, Lookups

pytestmark = pytest.mark.anyio
PUBLIC = "93.184.215.14"


class Names:
    """Answers look-ups with each list once, then with the last."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def refused(outside: Outside, *, port: int = 443, tls: bool = True) -> UpstreamFailure:
    with pytest.raises(UpstreamFailure) as caught:
        await outside.addresses("name.example", port, tls=tls)
    return caught.value


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1", "169.254.169.254",
        "168.63.129.16", "100.100.100.200", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "::ffff:10.0.0.1",
        "64:ff9b::a00:1", "2002:a00:1::1", "no address",
    ],
)  # fmt: skip
async def test_L19_F2_F3_what_is_not_public_is_refused(address: str) -> None:
    failure = await refused(Outside(resolver=Names([address])))
    assert failure.kind is UpstreamError.UNREACHABLE


async def test_L19_a_public_address_is_asked_by_tls_only_and_at_ports_of_the_web() -> None:
    outside = Outside(resolver=Names([PUBLIC] * (MAX_ADDRESSES + 3)))
    assert await outside.addresses("name.example", 443, tls=True) == [PUBLIC] * MAX_ADDRESSES
    assert await outside.addresses("name.example", 8443, tls=True)
    await refused(outside, port=80, tls=False)
    for port in (22, 25, 53, 995):
        await refused(outside, port=port)


async def test_L19_what_the_operator_lists_may_be_asked_but_never_where_clouds_keep_secrets() -> None:
    listed = Outside(["10.1.2.0/24", "169.254.0.0/16"], resolver=Names(["10.1.2.3"], ["10.1.3.3"], ["169.254.169.254"]))
    assert await listed.addresses("name.example", 9000, tls=False) == ["10.1.2.3"]
    await refused(listed, port=9000, tls=False)
    await refused(listed, port=9000, tls=False)


async def test_F4_one_private_answer_among_public_ones_refuses_all_and_none_is_none() -> None:
    await refused(Outside(resolver=Names([PUBLIC, "10.0.0.1"])))
    await refused(Outside(resolver=Names([])))


async def test_a_look_up_that_fails_or_hangs_is_bounded() -> None:
    def broken(host: str, _port: int) -> Sequence[str]:
        raise OSError(host)

    assert (await refused(Outside(resolver=broken))).kind is UpstreamError.UNREACHABLE
    full = Outside()
    full._lookups = Lookups(Names([PUBLIC]), most=0)
    assert (await refused(full)).kind is UpstreamError.BUSY
    assert MAX_LOOKUPS > 0


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    upstream = Recorder()
    upstream.answer = lambda _request: reply(200, b"{}")
    await upstream.start()
    yield upstream
    await upstream.stop()


async def asked(pool: HttpPool, url: str) -> int:
    answer = await pool.send(b"POST", target(url), [], b"{}", repeatable=True)
    answer.close()
    return answer.status


async def test_F4_the_address_that_was_judged_is_the_one_that_is_connected_to(recorder: Recorder) -> None:
    port = recorder.url.split(":")[2].removesuffix("/mcp")
    names = Names(["127.0.0.1"], [PUBLIC])
    pool = HttpPool(outside=Outside(["127.0.0.1/32"], resolver=names))
    # The name leads nowhere by the system's resolver: only the judged address can have been used.
    assert await asked(pool, f"http://rebinding.invalid:{port}/mcp") == 200
    assert names.asked == ["rebinding.invalid"]
    assert f"host: rebinding.invalid:{port}".encode() in recorder.requests[0].head
    await pool.close()


async def test_L19_a_connection_of_the_operator_s_is_not_used_for_a_tenant_s(recorder: Recorder) -> None:
    auth, plain, judged = UpstreamAuth(dict, lambda _name, text: text), HttpPool(), HttpPool(outside=Outside())
    upstreams = Upstreams(plain, judged, StdioServers(entropy=os.urandom, timeout=1.0, auth=auth), auth)
    operators = Server(id=ServerId("a"), slug="a", name="A", paths=(), upstream=recorder.url)
    tenants = replace(operators, id=ServerId("b"), slug="t_b", tenant_id=TenantId("t"))
    bare, whose = Envelope(version=None), identity("x", ALICE)
    assert (await upstreams.post(operators, {}, bare, whose, repeatable=True)).status == 200
    for _ in range(7):
        with pytest.raises(UpstreamFailure):
            await upstreams.post(tenants, {}, bare, whose, repeatable=True)
    with pytest.raises(UpstreamFailure):
        await upstreams.get(tenants, bare, whose)
    with pytest.raises(UpstreamFailure):
        await upstreams.delete(tenants, bare, whose)
    assert not upstreams.resting(operators)
    assert not upstreams.resting(tenants)  # What is refused is no failure to connect.
    assert recorder.connections == 1
    await plain.close()
    await judged.close()


async def test_the_next_address_is_tried_where_one_does_not_answer(recorder: Recorder) -> None:
    port = recorder.url.split(":")[2].removesuffix("/mcp")
    names = Names(["::1", "127.0.0.1"])
    pool = HttpPool(outside=Outside(["127.0.0.0/8", "::1/128"], resolver=names))
    assert await asked(pool, f"http://two.invalid:{port}/mcp") == 200
    names.answers = [["::1"]]
    with pytest.raises(UpstreamFailure):
        await asked(pool, f"http://three.invalid:{port}/mcp")
    await pool.close()


async def test_F5_a_redirect_is_an_answer_and_is_not_followed(recorder: Recorder) -> None:
    recorder.answer = lambda _request: reply(307, b"", "location: http://169.254.169.254/")
    pool = HttpPool(outside=Outside(["127.0.0.0/8"]))
    assert await asked(pool, recorder.url) == 307
    assert len(recorder.requests) == 1
    await pool.close()


@pytest.mark.parametrize(
    "address",
    ["168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110", "::ffff:169.254.169.254", "::ffff:100.100.100.200"],
)
async def test_L19_what_is_never_asked_is_not_asked_in_any_spelling(address: str) -> None:
    outside = Outside(["168.63.0.0/16", "100.64.0.0/10"], resolver=Names([address]))
    with pytest.raises(UpstreamFailure, match="never asked"):
        await outside.addresses("evil.example", 443, tls=True)


async def test_urls_that_were_called_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doorward.gateway.upstream.MAX_TARGETS", 3)
    auth, pool = UpstreamAuth(dict, lambda _name, text: text), HttpPool()
    upstream = Upstream(pool, StdioServers(entropy=os.urandom, timeout=1.0, auth=auth), auth)
    for number in range(7):
        server = Server(id=ServerId("a"), slug="a", name="A", paths=(), upstream=f"http://127.0.0.1:9/{number}")
        with pytest.raises(UpstreamFailure):
            await upstream.get(server, Envelope(version=None), identity("x", ALICE))
        assert len(upstream._targets) <= 3
    await pool.close()
