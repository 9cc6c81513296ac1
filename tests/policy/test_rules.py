"""Which rule fits, which is derived, and where a resource lies."""

from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter

import pytest

from doorward.model import Permission, Resource, ResourceId, RuleKind, Server, ServerId, TenantId, ToolRule
from doorward.policy.matching import glob_fits, template_ok, template_variables
from doorward.policy.rules import OWN, ResourceTree, derived_permissions, derived_rule, find_rule, rule_for

READ, WRITE = Permission("documents:read"), Permission("documents:write")


def rule(match: str, kind: RuleKind = RuleKind.TOOL, *requires: Permission) -> ToolRule:
    return ToolRule(kind=kind, match=match, requires=frozenset(requires or {READ}))


GET, ANY_GET = rule("get_document"), rule("get_*", RuleKind.TOOL, WRITE)
DOCUMENT = rule("harbour://documents/{document}", RuleKind.RESOURCE)
PROMPT = rule("weekly-*", RuleKind.PROMPT)
SERVER = Server(
    id=ServerId("s"),
    slug="harbour",
    name="Harbour",
    paths=("/mcp",),
    upstream="http://127.0.0.1:1/mcp",
    rules=(GET, ANY_GET, DOCUMENT, PROMPT),
)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("get", "get", True), ("get", "Get", False), ("get", "gets", False), ("get", "ge", False),
        ("*", "", True), ("*", "anything", True), ("", "", True), ("", "a", False),
        ("get_*", "get_", True), ("get_*", "got_x", False), ("*_document", "get_document", True),
        ("*a*b", "aab", True), ("*a*b", "aba", False), ("**a", "a", True), ("a**", "a", True),
        ("g?t", "get", True), ("g?t", "gt", False), ("???", "ab", False), ("a?", "a", False),
        ("[ag]et", "get", False), ("[ag]et", "[ag]et", True), ("a.b", "axb", False), ("*", "a\nb", True),
    ],
)  # fmt: skip
def test_globs_know_star_and_question_mark_only(pattern: str, name: str, fits: bool) -> None:
    assert glob_fits(pattern, name) is fits


def test_no_name_makes_matching_slow() -> None:
    begun = perf_counter()
    assert not glob_fits("*a*a*a*a*a*a*a*b", "a" * 1024)
    assert not glob_fits("*", "a" * 1025)
    assert perf_counter() - begun < 0.5


def test_the_first_rule_that_fits_wins() -> None:
    assert find_rule(SERVER.rules, RuleKind.TOOL, "get_document") == (GET, {})
    assert find_rule(SERVER.rules, RuleKind.TOOL, "get_tree") == (ANY_GET, {})
    assert find_rule(SERVER.rules, RuleKind.TOOL, "weekly-report") is None
    assert find_rule(SERVER.rules, RuleKind.PROMPT, "weekly-report") == (PROMPT, {})


CONFUSING = ["Get_document", "GET_DOCUMENT", " get_document", "get_document ", "get_document\u200b", "\uff47et_document",
             "ge\u0301t", "get_document\n", "harbour/get_document", "get_x/../get_document", "s1:get_document", "",
             "get_" + "x" * 125]  # fmt: skip


@pytest.mark.parametrize("name", CONFUSING)
def test_K10_a_name_that_resembles_another_has_no_rule(name: str) -> None:
    assert find_rule([GET], RuleKind.TOOL, name) is None


@pytest.mark.parametrize(
    "name", [name for name in CONFUSING if not name.isascii() or not name.replace("_", "").isalnum()]
)
def test_K10_names_of_another_form_need_what_nobody_has(name: str) -> None:
    governing, _ = rule_for(SERVER, RuleKind.TOOL, name, {"readOnlyHint": True})
    assert governing.requires == frozenset()


def test_a_resource_rule_gives_its_variables() -> None:
    assert find_rule(SERVER.rules, RuleKind.RESOURCE, "harbour://documents/d-1") == (DOCUMENT, {"document": "d-1"})
    assert find_rule(SERVER.rules, RuleKind.RESOURCE, "harbour://documents/a%20b%C3%A9") == (
        DOCUMENT,
        {"document": "a bé"},
    )


@pytest.mark.parametrize(
    "tail",
    ["", "a/b", "a/", ".", "..", "a/../b", "./a", "%2e", "%2E%2e", "a%2fb", "a%2F..%2Fb", "a%5cb", "a\\b", "a%00", "a\x00",
     "a%252fb", "a%61", "a?x=1", "a#b", "a%", "a%2", "a%zz", "a b", "a\n", "..?", "x" * 1024],
)  # fmt: skip
def test_I8_a_uri_that_can_be_read_in_two_ways_fits_no_rule(tail: str) -> None:
    assert find_rule(SERVER.rules, RuleKind.RESOURCE, f"harbour://documents/{tail}") is None


def test_templates_compare_the_rest_exactly() -> None:
    assert template_variables("h://a.b/{x}/y-{z}", "h://a.b/1/y-2") == {"x": "1", "z": "2"}
    assert template_variables("h://a.b/{x}/y-{z}", "h://axb/1/y-2") is None
    assert template_variables("h://tree", "h://tree") == {}
    assert template_variables("h://tree", "H://tree") is None


@pytest.mark.parametrize(
    ("template", "good"),
    [
        ("harbour://documents/{document}", True), ("h://tree", True), ("h://{a}/{b}", True), ("h://x/{a}-{b}", True),
        ("h://{a}{b}", False), ("h://{a}/{a}", False), ("h://{+path}", False), ("h://{a", False), ("h://a}", False),
        ("h://x/../{a}", False), ("h://x/%2e", False), ("h://{A}", False), ("h://{a,b}", False), ("h://a b", False),
    ],
)  # fmt: skip
def test_templates_of_rules_are_plain(template: str, good: bool) -> None:
    assert template_ok(template) is good


@pytest.mark.requirement("D4")
@pytest.mark.parametrize(
    ("annotations", "permission"),
    [
        (None, "harbour:write"),
        ({}, "harbour:write"),
        ({"destructiveHint": False}, "harbour:write"),
        ({"destructiveHint": True}, "harbour:delete"),
        ({"destructiveHint": "true"}, "harbour:write"),
        ({"readOnlyHint": True}, "harbour:read"),
        ({"readOnlyHint": 1}, "harbour:write"),
        ({"readOnlyHint": False, "destructiveHint": True}, "harbour:delete"),
    ],
)
@pytest.mark.requirement("D4")
def test_a_rule_is_derived_from_annotations(annotations: Mapping[str, object] | None, permission: str) -> None:
    assert derived_rule(SERVER, RuleKind.TOOL, "new_tool", annotations).requires == {permission}


@pytest.mark.parametrize("kind", [RuleKind.RESOURCE, RuleKind.PROMPT])
@pytest.mark.requirement("D4")
def test_resources_and_prompts_derive_reading(kind: RuleKind) -> None:
    assert derived_rule(SERVER, kind, "anything", None).requires == {"harbour:read"}


@pytest.mark.requirement("D4")
def test_an_explicit_rule_stands_above_the_derived_one() -> None:
    assert rule_for(SERVER, RuleKind.TOOL, "get_document", {"destructiveHint": True}) == (GET, {})
    assert rule_for(SERVER, RuleKind.TOOL, "drop", None) == (derived_rule(SERVER, RuleKind.TOOL, "drop", None), {})


def test_everything_a_derived_rule_asks_for_can_be_in_the_catalogue() -> None:
    entries = {entry.permission: entry for entry in derived_permissions(SERVER)}
    assert set(entries) == {"harbour:read", "harbour:write", "harbour:delete"}
    assert [entry.permission for entry in entries.values() if entry.destructive] == ["harbour:delete"]


def node(name: str, parent: str | None = None) -> Resource:
    parent_id = None if parent is None else ResourceId(parent)
    return Resource(
        id=ResourceId(name), tenant_id=TenantId("t"), type="folder", key=name, name=name, parent_id=parent_id
    )


def test_nodes_are_found_by_exact_type_and_key() -> None:
    tree = ResourceTree([node("a"), node("ab")])
    assert tree.find("folder", "a") == tree.get(ResourceId("a")) == node("a")
    for wrong in ("A", "a/", "a.", "a\x00", "", "a/../ab"):
        assert tree.find("folder", wrong) is None
    assert tree.find("project", "a") is None


def test_I8_within_goes_by_parents_and_not_by_prefix() -> None:
    tree = ResourceTree([node("a"), node("ab"), node("c", "a"), node("d", "c"), node("lost", "gone"), node("me", "me")])
    roots = frozenset({ResourceId("a")})
    assert [found.id for found in tree.nodes() if tree.within(found.id, roots)] == ["a", "c", "d"]
    assert not tree.within(ResourceId("unknown"), frozenset({ResourceId("unknown")}))
    assert [found.id for found in tree.narrowed(roots).nodes()] == ["a", "c", "d"]
    assert tree.narrowed(None) is tree


@pytest.mark.requirement("L19")
def test_what_a_tenant_s_own_server_needs_names_neither_server_nor_tenant() -> None:
    own = replace(SERVER, slug="acme_harbour", tenant_id=TenantId("t"), rules=())
    for hint, action in (("readOnlyHint", "read"), ("destructiveHint", "delete"), ("other", "write")):
        made = derived_rule(own, RuleKind.TOOL, "x", {hint: True})
        assert made.requires == {Permission(f"{OWN}:{action}")}
    entries = derived_permissions(own)
    assert [entry.permission for entry in entries] == [f"{OWN}:read", f"{OWN}:write", f"{OWN}:delete"]
    assert not any(entry.is_default for entry in entries)
    assert [entry.destructive for entry in entries] == [False, False, True]
