"""A document's ``servers`` entry: URL paths, upstream, and the rules of tools, resources and prompts."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from doorward.model import (
    AuthKind,
    ResourceArgument,
    RuleKind,
    Status,
    StdioCommand,
    ToolRule,
    UpstreamCredential,
    Vetting,
)
from doorward.policy.matching import template_ok
from doorward.protocol import resource
from doorward.provisioning import names
from doorward.provisioning.document import ServerDeclared
from doorward.provisioning.parse_approval import parse_approval
from doorward.provisioning.parse_auth import parse_auth
from doorward.provisioning.parse_stdio import STDIO, address, parse_stdio
from doorward.provisioning.reading import Place
from doorward.provisioning.values import choice, flag, needed, permissions, title, values

KINDS: Final[Mapping[str, RuleKind]] = {
    "tools": RuleKind.TOOL,
    "resources": RuleKind.RESOURCE,
    "prompts": RuleKind.PROMPT,
}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_GLOB: Final = re.compile(r"[\x21-\x7e]{1,200}")
_POINTER: Final = re.compile(r"(?:/(?:[^/~\x00-\x1f]|~[01])*)+")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_VARIABLE: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def parse_server(place: Place) -> ServerDeclared:
    """Return one server. Raises ``DocumentError``."""
    table = place.table(
        "slug", "name", "paths", "upstream", "direct", "builtin_tools", "new_tools", "changed_tools", "status", "auth",
        *STDIO, *KINDS,
    )  # fmt: skip
    slug = needed(place, table, "slug")
    if not names.server_slug_ok(slug.text()):
        slug.refuse(f"{slug.text()[:80]!r} cannot be a server's slug", "Use a-z, 0-9, - and _, a letter first")
    upstream = table.get("upstream")
    if upstream is not None and not names.upstream_ok(upstream.text()):
        upstream.refuse("not an http(s) URL without credentials", "Write it like http://127.0.0.1:9000/mcp")
    stdio = parse_stdio(place, table)
    if stdio is not None and upstream is not None:
        upstream.refuse("a server is a URL or a command", "Take one of the two out")
    auth = parse_auth(table["auth"]) if "auth" in table else _auth_undeclared(stdio)
    if stdio is not None and auth is not None and auth.kind is not AuthKind.NONE:
        table["auth"].refuse("a command has no headers", "Give it the secret in env, as NAME: {secret: NAME}")
    return ServerDeclared(
        path=place.path,
        slug=slug.text(),
        name=title(table.get("name")),
        paths=_paths(table.get("paths")),
        upstream=_address(slug, upstream, stdio),
        stdio=stdio,
        direct=_direct(table.get("direct")),
        auth=auth,
        auth_declared="auth" in table or stdio is not None,
        builtin_tools=flag(table.get("builtin_tools")),
        new_tools=choice(table.get("new_tools"), Vetting),
        changed_tools=choice(table.get("changed_tools"), Vetting),
        status=choice(table.get("status"), Status),
        rules={kind: _rules(table[name], kind) for name, kind in KINDS.items() if name in table},
    )


def _auth_undeclared(stdio: StdioCommand | None) -> UpstreamCredential | None:
    # Most commands are other people's and do not read the identity: it must not count as read (decision 0079).
    return None if stdio is None else UpstreamCredential(kind=AuthKind.NONE)


def _direct(place: Place | None) -> str | None:
    """Return the URL that tokens for the server itself are for; an empty text takes it away."""
    if place is None or not place.text():
        return None if place is None else ""
    url = place.text()
    plain = url.startswith("http://") and urlsplit(url).hostname not in _LOOPBACK
    if not names.upstream_ok(url) or resource.canonical(url) != url or plain:
        place.refuse("not a server's own URL", "Write it like https://wiki.example.com/mcp, without a slash at the end")
    return url


def _address(slug: Place, upstream: Place | None, stdio: StdioCommand | None) -> str | None:
    if stdio is not None:
        return address(slug.text(), stdio)
    return None if upstream is None else upstream.text()


def _paths(place: Place | None) -> tuple[str, ...] | None:
    if place is None:
        return None
    paths = values(place) or ()
    for number, path in enumerate(paths):
        if not names.path_ok(path):
            place.refuse(f"{path[:80]!r} cannot be a server's path", "Write it like /mcp or /{tenant}/mcp")
        if any(names.paths_clash(path, other) for other in paths[:number]):
            place.refuse(f"{path[:80]!r} fits what another path fits", "Keep one of them")
    if not paths:
        place.refuse("no path", "Write at least one, like /mcp")
    return paths


def _rules(place: Place, kind: RuleKind) -> tuple[ToolRule, ...]:
    return tuple(_rule(item, kind) for item in place.each())


def _rule(place: Place, kind: RuleKind) -> ToolRule:
    table = place.table("match", "requires", "resource", "approval")
    match = pattern(needed(place, table, "match"), kind)
    return ToolRule(
        kind=kind,
        match=match,
        requires=permissions(needed(place, table, "requires")) or frozenset(),
        resources=_resources(table.get("resource"), kind, match),
        approval=parse_approval(table.get("approval"), kind),
    )


def pattern(match: Place, kind: RuleKind) -> str:
    """Return what a rule or an override is compared with: a glob, or a URI template for resources."""
    if kind is RuleKind.RESOURCE and not template_ok(match.text()):
        match.refuse("not a URI template of plain {variables}", "Write it like harbour://documents/{document}")
    if kind is not RuleKind.RESOURCE and not _GLOB.fullmatch(match.text()):
        match.refuse("not a name", "Write a name; * and ? stand for any text and any character")
    return match.text()


def _resources(place: Place | None, kind: RuleKind, match: str) -> tuple[ResourceArgument, ...]:
    if place is None:
        return ()
    each = place.each() if isinstance(place.value, list) else [place]
    return tuple(_resource(item, kind, match) for item in each)


def _resource(place: Place, kind: RuleKind, match: str) -> ResourceArgument:
    table = place.table("argument", "type")
    pointer, of_type = needed(place, table, "argument"), needed(place, table, "type")
    if not _POINTER.fullmatch(pointer.text()):
        pointer.refuse("not a JSON pointer", "Write it like /project_id")
    if kind is RuleKind.RESOURCE and pointer.text()[1:] not in _VARIABLE.findall(match):
        pointer.refuse("names no {variable} of the match", "Name one, with a / before it")
    if not _TYPE.fullmatch(of_type.text()):
        of_type.refuse("not a type of the resource tree", "Write a word like project")
    return ResourceArgument(pointer=pointer.text(), type=of_type.text())
