"""Documents are read strictly, and every fault is one line that names place, cause and fix."""

import json
from typing import Any

import pytest

from doorward.model import ClientAuthMethod, OwnerKind, ResourceArgument, RuleKind, Status
from doorward.provisioning.document import Document
from doorward.provisioning.parse import parse
from doorward.provisioning.reading import MAX_CHARACTERS, DocumentError, read_json
from doorward.provisioning.reading_yaml import read_yaml


def fault(document: Any) -> str:
    with pytest.raises(DocumentError) as caught:
        parse(read_json(json.dumps(document)))
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


def good(text: str) -> Document:
    return parse(read_yaml(text))


def test_a_full_document_is_read() -> None:
    document = good("""
servers:
  - slug: wiki
    name: Wiki
    paths: [/mcp, "/{tenant}/mcp"]
    upstream: http://127.0.0.1:9000/mcp
    builtin_tools: false
    status: active
    tools:
      - {match: "get_*", requires: ["pages:read"], resource: {argument: /page/id, type: page}}
      - {match: "*", requires: []}
    resources:
      - {match: "wiki://pages/{page}", requires: ["pages:read"], resource: {argument: /page, type: page}}
    prompts:
      - {match: digest, requires: ["pages:read", "pages:write"]}
permissions: ["pages:read", {permission: "pages:delete", words: Delete pages, default: false, destructive: true}]
users:
  - {email: " Ines@Acme.example ", name: Ines, password: correct horse, kind: person, status: active}
  - {email: robot@acme.example, kind: service}
tenants:
  - slug: acme
    name: Acme
    servers: [wiki]
    roles: [{name: writer, permissions: ["pages:*", "*:read"]}]
    members: [{user: INES@acme.example, roles: [owner]}, {user: robot@acme.example, roles: []}]
    resources:
      - {type: space, key: s1, name: Space}
      - {type: page, key: p1, parent: {type: space, key: s1}}
      - {type: page, key: p2, parent: null}
    clients:
      - {name: CLI, redirect_uris: ["http://127.0.0.1/callback"], type: public}
      - {id: portal, name: Portal, redirect_uris: ["https://portal.example/cb", "acmeapp://cb"], type: confidential, scopes: ["pages:read"]}
""")
    server, (acme,) = document.servers[0], document.tenants
    assert server.rules[RuleKind.TOOL][0].resources == (ResourceArgument(pointer="/page/id", type="page"),)
    assert server.rules[RuleKind.TOOL][1].requires == frozenset()
    assert [len(server.rules[kind]) for kind in RuleKind] == [2, 1, 1]
    assert document.permissions[0].words is None
    assert document.permissions[1].destructive is True
    assert [(user.email, user.kind) for user in document.users] == [
        ("ines@acme.example", OwnerKind.PERSON), ("robot@acme.example", OwnerKind.SERVICE),
    ]  # fmt: skip
    assert document.users[0].status is Status.ACTIVE
    assert [member.roles for member in acme.members] == [("owner",), ()]
    assert [(node.title, node.parent) for node in acme.resources] == [
        ("Space", None), ("p1", ("space", "s1")), ("p2", None),
    ]  # fmt: skip
    assert [client.auth_method for client in acme.clients] == [ClientAuthMethod.NONE, ClientAuthMethod.SECRET_BASIC]


def test_what_is_not_said_is_none() -> None:
    document = good("{servers: [{slug: wiki}], users: [{email: a@b.example}], tenants: [{slug: acme}]}")
    server, user, tenant = document.servers[0], document.users[0], document.tenants[0]
    assert (server.name, server.paths, server.upstream, server.rules) == (None, None, None, {})
    assert (user.name, user.password, user.status) == (None, None, None)
    assert (tenant.servers, tenant.members) == (None, ())


SERVER, TENANT = {"slug": "wiki"}, {"slug": "acme"}


@pytest.mark.parametrize(
    ("document", "start"),
    [
        ([], "document: found a list."),
        (None, "document: found nothing."),
        ({"user": []}, "document: unknown key 'user'. Known here: servers, permissions, users, providers, tenants."),
        ({"users": {}}, "users: found keys and values. Write a list."),
        ({"users": ["a@b.example"]}, "users[0]: found a text."),
        ({"users": [{"emial": "x"}]}, "users[0]: unknown key 'emial'. Known here: email, name,"),
        ({"users": [{"name": "X"}]}, "users[0]: email is missing. Add email."),
        ({"users": [{"email": 5}]}, "users[0].email: found int. Write a text"),
        ({"users": [{"email": "ines"}]}, "users[0].email: 'ines' is no e-mail address."),
        ({"users": [{"email": "a b@c.example"}]}, "users[0].email:"),
        ({"users": [{"email": "a@b.example", "password": "short"}]}, "users[0].password: too short"),
        ({"users": [{"email": "a@b.example", "password": "x" * 1025}]}, "users[0].password: too short or too long"),
        ({"users": [{"email": "a@b.example", "password": 12345678}]}, "users[0].password: found int."),
        ({"users": [{"email": "a@b.example", "name": "A\u202eB"}]}, "users[0].name: not an ordinary name"),
        ({"users": [{"email": "a@b.example", "name": "\u3164"}]}, "users[0].name: not an ordinary name"),
        ({"users": [{"email": "a@b.example", "status": "gone"}]}, "users[0].status: 'gone' is not known. Write one of: active"),
        ({"users": [{"email": "a@b.example", "kind": "service", "password": "long enough"}]}, "users[0].password: a service"),
        ({"users": [{"email": "a@b.example"}, {"email": "A@B.example"}]}, "users[1]: the same entry a second time"),
        ({"permissions": ["documents"]}, "permissions[0]: 'documents' is no permission"),
        ({"permissions": ["documents:*"]}, "permissions[0]: 'documents:*' is no permission"),
        ({"permissions": [{"words": "x"}]}, "permissions[0]: permission is missing"),
        ({"permissions": [{"permission": "a:b", "default": "yes"}]}, "permissions[0].default: found a text. Write true or"),
        ({"servers": [{"slug": "9wiki"}]}, "servers[0].slug:"),
        ({"servers": [{**SERVER, "upstream": "ftp://x"}]}, "servers[0].upstream:"),
        ({"servers": [{**SERVER, "upstream": "http://me:pass@x/mcp"}]}, "servers[0].upstream:"),
        ({"servers": [{**SERVER, "upstream": "http://x:99999/mcp"}]}, "servers[0].upstream:"),
        ({"servers": [{**SERVER, "upstream": "http://x/mcp#a"}]}, "servers[0].upstream:"),
        ({"servers": [{**SERVER, "paths": []}]}, "servers[0].paths: no path"),
        ({"servers": [{**SERVER, "paths": ["mcp"]}]}, "servers[0].paths: 'mcp' cannot be"),
        ({"servers": [{**SERVER, "paths": ["/oauth/mcp"]}]}, "servers[0].paths: '/oauth/mcp' cannot be"),
        ({"servers": [{**SERVER, "paths": ["/.well-known/x"]}]}, "servers[0].paths:"),
        ({"servers": [{**SERVER, "paths": ["/api/v1/mcp"]}]}, "servers[0].paths:"),
        ({"servers": [{**SERVER, "paths": ["/a/../b"]}]}, "servers[0].paths:"),
        ({"servers": [{**SERVER, "paths": ["/{tenant}/{tenant}"]}]}, "servers[0].paths:"),
        ({"servers": [{**SERVER, "paths": ["/x-{tenant}"]}]}, "servers[0].paths:"),
        ({"servers": [{**SERVER, "paths": ["/{tenant}/mcp", "/acme/mcp"]}]}, "servers[0].paths: '/acme/mcp' fits what"),
        ({"servers": [{**SERVER, "tools": [{"match": "x"}]}]}, "servers[0].tools[0]: requires is missing"),
        ({"servers": [{**SERVER, "tools": [{"match": "a b", "requires": []}]}]}, "servers[0].tools[0].match: not a name"),
        ({"servers": [{**SERVER, "tools": [{"match": "x", "requires": ["*:read"]}]}]}, "servers[0].tools[0].requires[0]:"),
        (
            {"servers": [{**SERVER, "tools": [{"match": "x", "requires": [], "resource": {"argument": "id", "type": "t"}}]}]},
            "servers[0].tools[0].resource.argument: not a JSON pointer",
        ),
        (
            {"servers": [{**SERVER, "tools": [{"match": "x", "requires": [], "resource": {"argument": "/id", "type": "T"}}]}]},
            "servers[0].tools[0].resource.type:",
        ),
        ({"servers": [{**SERVER, "resources": [{"match": "w://{+p}", "requires": []}]}]}, "servers[0].resources[0].match:"),
        (
            {"servers": [{**SERVER, "resources": [{"match": "w://{a}", "requires": [], "resource": {"argument": "/b", "type": "t"}}]}]},
            "servers[0].resources[0].resource.argument: names no {variable}",
        ),
        ({"tenants": [{"slug": "Acme"}]}, "tenants[0].slug: 'Acme' cannot be"),
        ({"tenants": [{"slug": "oauth"}]}, "tenants[0].slug: 'oauth' cannot be"),
        ({"tenants": [{**TENANT, "roles": [{"name": "r", "permissions": ["doc*:read"]}]}]}, "tenants[0].roles[0].permissions[0]:"),
        ({"tenants": [{**TENANT, "roles": [{"name": "R", "permissions": []}]}]}, "tenants[0].roles[0].name:"),
        ({"tenants": [{**TENANT, "members": [{"user": "a@b.example"}]}]}, "tenants[0].members[0]: roles is missing"),
        ({"tenants": [{**TENANT, "members": [{"user": "a@b.example", "roles": "owner"}]}]}, "tenants[0].members[0].roles: found a text."),
        ({"tenants": [{**TENANT, "resources": [{"type": "P", "key": "x"}]}]}, "tenants[0].resources[0].type:"),
        ({"tenants": [{**TENANT, "resources": [{"type": "p", "key": "a b"}]}]}, "tenants[0].resources[0].key:"),
        ({"tenants": [{**TENANT, "clients": [{"name": "C", "redirect_uris": []}]}]}, "tenants[0].clients[0].redirect_uris: no"),
        (
            {"tenants": [{**TENANT, "clients": [{"name": "C", "redirect_uris": ["http://x.example/cb"]}]}]},
            "tenants[0].clients[0].redirect_uris[0]: refused as a redirect URI",
        ),
        (
            {"tenants": [{**TENANT, "clients": [{"name": "C", "redirect_uris": ["javascript:alert(1)"]}]}]},
            "tenants[0].clients[0].redirect_uris[0]: refused",
        ),
        (
            {"tenants": [{**TENANT, "clients": [{"name": "C", "type": "open", "redirect_uris": ["https://x.example/cb"]}]}]},
            "tenants[0].clients[0].type: 'open' is not known",
        ),
        (
            {"tenants": [{**TENANT, "clients": [
                {"name": "C", "auth_method": "client_secret_post", "redirect_uris": ["https://x.example/cb"]}]}]},
            "tenants[0].clients[0].auth_method: does not fit",
        ),
        (
            {"tenants": [{**TENANT, "clients": [{"name": "C", "id": "a/b", "redirect_uris": ["https://x.example/cb"]}]}]},
            "tenants[0].clients[0].id:",
        ),
    ],
)  # fmt: skip
def test_faults_name_the_place(document: Any, start: str) -> None:
    assert fault(document).startswith(start), fault(document)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("users: []\nusers: []", "line 2: not YAML (key 'users' is repeated)"),
        ("users: [{email: a, email: b}]", "key 'email' is repeated"),
        ("a: &x [1]\nb: *x", "anchors and aliases"),
        ("a: &x\n  - *x", "anchors and aliases"),
        ("<<: {a: 1}", "a key is not a plain text"),
        ("1: x", "a key is not a plain text"),
        ("? [a]\n: x", "a key is not a plain text"),
        ("a: [", "line 1: not YAML"),
        ("a: !!python/object/apply:os.system [ls]", "not YAML"),
        ("a: \x00", "not YAML"),
        ("--- {}\n--- {}", "not YAML"),
        ("[" * 20_000, "not YAML (RecursionError)"),
        ("a: 2026-99-99", "not YAML (ValueError)"),
        ("", "found nothing"),
        ("#" * (MAX_CHARACTERS + 1), "longer than"),
    ],
)
def test_yaml_is_read_strictly(text: str, words: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(read_yaml(text))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"users": [], "users": []}', "key 'users' is repeated"),
        ('{"users": [}', "line 1: not JSON"),
        ("[" * 100_000, "not JSON (RecursionError)"),
        ('{"users": NaN}', "users: found float"),
        ("9" * 5000, "not JSON (ValueError)"),
        (" " * (MAX_CHARACTERS + 1), "longer than"),
    ],
)
def test_json_is_read_strictly(text: str, words: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(read_json(text))
    assert words in str(caught.value)


def test_no_fault_repeats_a_password() -> None:
    secret = "hunter2-hunter2"
    for user in ({"email": "a@b.example", "password": [secret]}, {"email": "a@b.example", "password": secret, "x": 1}):
        assert secret not in fault({"users": [user]})
