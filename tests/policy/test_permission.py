"""The grammar, wildcards and built-in roles."""

import pytest

from doorward.model import Permission
from doorward.policy.permission import BUILT_IN_ROLES, expand, is_pattern_ok, parse

CATALOGUE = tuple(Permission(text) for text in ("documents:read", "documents:write", "tasks:read", "tasks:delete"))


@pytest.mark.parametrize("text", ["documents:read", "a:b", "a" * 64 + ":" + "b" * 64, "my-docs_2:do-it"])
def test_permissions_are_resource_and_action(text: str) -> None:
    assert parse(text) == text
    assert is_pattern_ok(text)


BAD = ["", "documents", "documents:", ":read", "a:b:c", "Documents:read", "documents:read\n", " documents:read", "1a:b",
       "documents:re*d", "doc*:read", "documents read", "dökuments:read", "a" * 65 + ":b", "a.b:c"]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a permission"):
        parse(text)
    assert not is_pattern_ok(text)
    assert not expand([text], [*CATALOGUE, Permission(text)])


@pytest.mark.parametrize("text", ["*:*", "documents:*", "*:read"])
def test_wildcards_are_patterns_but_not_permissions(text: str) -> None:
    assert is_pattern_ok(text)
    with pytest.raises(ValueError, match="not a permission"):
        parse(text)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ((), ()),
        (("*:*",), CATALOGUE),
        (("*:read",), ("documents:read", "tasks:read")),
        (("documents:*", "tasks:delete"), ("documents:read", "documents:write", "tasks:delete")),
        (("secrets:read", "secrets:*", "*:burn"), ()),
    ],
)
def test_patterns_expand_to_what_the_catalogue_holds(patterns: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert expand(patterns, CATALOGUE) == frozenset(expected)


def test_built_in_roles_are_four_and_a_viewer_only_reads() -> None:
    assert set(BUILT_IN_ROLES) == {"owner", "admin", "editor", "viewer"}
    assert expand(BUILT_IN_ROLES["viewer"], CATALOGUE) == {"documents:read", "tasks:read"}
    assert expand(BUILT_IN_ROLES["editor"], CATALOGUE) == {"documents:read", "documents:write", "tasks:read"}
    assert expand(BUILT_IN_ROLES["owner"], CATALOGUE) == expand(BUILT_IN_ROLES["admin"], CATALOGUE) == set(CATALOGUE)
