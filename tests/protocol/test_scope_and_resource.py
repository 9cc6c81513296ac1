# ruff: noqa: PT017  (a refusal is one of the permitted ends of these tests)

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol.examples import MCP_URL, is_resource

from doorward.protocol import resource, scope
from doorward.protocol.errors import OAuthError


def test_scopes_keep_their_order_and_count_once() -> None:
    assert scope.parse("b:read  a:read b:read ") == ("b:read", "a:read")
    assert scope.parse("") == ()


@pytest.mark.parametrize(
    "text",
    ["a\tb", 'a"b', "a\\b", "é", "a\u200bb", " ".join(f"s{i}:read" for i in range(201)), "x" * 8193],
    ids=["tab", "quote", "backslash", "unicode", "zero width", "too many", "too long"],
)
def test_A31_a_scope_outside_the_grammar_or_the_limits_is_refused(text: str) -> None:
    with pytest.raises(OAuthError) as refused:
        scope.parse(text)
    assert refused.value.error == "invalid_scope"


@given(st.text())
def test_any_text_is_read_as_scopes_or_refused(text: str) -> None:
    try:
        assert all(scope.parse(text))
    except OAuthError as error:
        assert error.error == "invalid_scope"


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (None, None),
        ((), None),
        (("openid", "profile", "email", "offline_access"), None),
        (("documents:read", "openid", "S3:read"), ("documents:read",)),
        (("S3:read",), ()),
        (("*", "openid"), ()),
        (("b:read", "documents:read"), ("b:read", "documents:read")),
    ],
)
def test_A31_unknown_and_oidc_scopes_are_dropped(asked: tuple[str, ...] | None, left: tuple[str, ...] | None) -> None:
    assert scope.narrow(asked, {"documents:read", "b:read"}) == left


def test_scopes_are_joined_in_one_order() -> None:
    assert scope.join(["b", "a", "b"]) == "a b"


@pytest.mark.parametrize(
    "text",
    [
        MCP_URL,
        MCP_URL + "/",
        "HTTPS://Door.Example/mcp",
        "https://door.example:443/mcp",
        "https://DOOR.example:443/mcp/",
    ],
)
def test_A32_case_port_and_slash_do_not_make_another_server(text: str) -> None:
    assert resource.match(text, [MCP_URL]) == MCP_URL


@pytest.mark.parametrize(
    "text",
    [
        "", "/mcp", "mcp", "//door.example/mcp", MCP_URL + "#f", "http://door.example/mcp", "https://door.example",
        "https://door.example/MCP", "https://door.example/mcp//", "https://door.example/mcp?x=1",
        "https://door.example/../mcp", "https://door.example/%6dcp", "https://u@door.example/mcp",
        "https://door.example:8443/mcp", "https://door.example:123456/mcp", "https://door.example/mcp\n",
        "https://door。example/mcp", "https://door.example/" + "a" * 2048, "https://evil.example/mcp",
    ],
)  # fmt: skip
def test_A32_anything_else_is_no_server_of_ours(text: str) -> None:
    assert resource.match(text, [MCP_URL]) is None


def test_a_server_at_the_root_is_found_with_and_without_its_slash() -> None:
    assert resource.match("https://door.example", ["https://door.example/"]) == "https://door.example/"
    assert resource.match("https://door.example/", ["https://door.example"]) == "https://door.example"
    assert resource.canonical("http://[::1]:8080/mcp/") == "http://[::1]:8080/mcp"


@given(st.text() | st.from_regex(r"https?://[a-zA-Z.]{1,12}(:[0-9]{1,5})?(/[a-z./]{0,8})?", fullmatch=True))
def test_what_a_resource_resolves_to_is_always_published(text: str) -> None:
    assert (found := resource.resolve(text, is_resource)) is None or is_resource(found)
    form = resource.canonical(text)
    assert form is None or resource.canonical(form) in {form, form.removesuffix("/")}
