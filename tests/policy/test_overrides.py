"""Which overrides are about a tool, a prompt or a resource (D4): never fewer than were meant."""

from doorward.model import Effect, Override, RuleKind, ServerId, TenantId
from doorward.policy.matching import MAX_NAME, plain_uri
from doorward.policy.overrides import about

HERE, THERE = ServerId("here"), ServerId("there")


def denial(match: str, kind: RuleKind = RuleKind.TOOL, server_id: ServerId = HERE) -> Override:
    return Override(
        id=match, tenant_id=TenantId("t"), server_id=server_id, kind=kind, match=match, effect=Effect.DENY
    )  # fmt: skip


def test_an_override_is_about_one_kind_of_thing_at_one_server() -> None:
    drop = denial("drop_*")
    others = [denial("get_*"), denial("drop_*", RuleKind.PROMPT), denial("drop_*", server_id=THERE)]
    assert about([*others, drop], HERE, RuleKind.TOOL, "drop_all") == (drop,)


def test_I8_an_override_holds_for_a_uri_that_an_upstream_may_read_as_another() -> None:
    files = denial("file:///secret/{name}", RuleKind.RESOURCE)
    asked = lambda uri: about([files], HERE, RuleKind.RESOURCE, uri)  # noqa: E731
    assert asked("file:///secret/plan") == (files,)
    assert asked("file:///open/plan") == ()
    for odd in ("file:///open/../secret/plan", "file:///open/%2e%2e/secret/plan", "file:///s%65cret/plan"):
        assert asked(odd) == (files,), odd


def test_I8_a_plain_uri_is_one_that_everybody_reads_alike() -> None:
    assert plain_uri("file:///a/b")
    assert plain_uri("x:" + "a" * (MAX_NAME - 2))
    assert not plain_uri("x:" + "a" * (MAX_NAME - 1))
    assert not plain_uri("file:///a/../b")
