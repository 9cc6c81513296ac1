"""What the demonstration says when it is ready: one JSON object, or a page for people with commands to paste."""

import os
from collections.abc import Iterator
from typing import Any, Final

from doorward.clients import filling, guides
from doorward.clients.filling import Values
from doorward.demo.memory import Memory
from doorward.demo.prepare import KEYS, declared

SHOWN: Final = ("claude-code", "codex", "cursor", "vscode")
"""The guides whose steps are printed; the page and ``doorward connect`` have all."""


def facts(url: str, memory: Memory) -> dict[str, Any]:
    """Return what ``--json`` prints; the first user owns the first tenant, and the first key is that user's."""
    setup = declared()
    return {
        "url": url,
        "mcp_url": f"{url}/mcp",
        "tenants": [{"slug": tenant["slug"], "mcp_url": f"{url}/{tenant['slug']}/mcp"} for tenant in setup["tenants"]],
        "users": [
            {
                "email": user["email"],
                "password": memory.passwords[user["email"]],
                "tenants": [
                    {"slug": tenant["slug"], "role": member["roles"][0]}
                    for tenant in setup["tenants"]
                    for member in tenant["members"]
                    if member["user"] == user["email"]
                ],
            }
            for user in setup["users"]
        ],
        "api_keys": [
            {"name": key.name, "user": key.user, "tenant": key.tenant, "key": memory.keys[key.name]} for key in KEYS
        ],
        "pid": os.getpid(),
    }


def page(said: dict[str, Any]) -> str:
    """Return the page for people."""
    return "\n".join(_lines(said)) + "\n"


def _lines(said: dict[str, Any]) -> Iterator[str]:
    yield from ("", "  Doorward is open. One URL for every client:", "", f"    {said['mcp_url']}", "")
    width = max(len(tenant["mcp_url"]) for tenant in said["tenants"])
    for tenant in said["tenants"]:
        yield f"    {tenant['mcp_url']:<{width}}   only for {tenant['slug']}"
    yield from ("", "  Sign in as", "")
    width = max(len(user["email"]) for user in said["users"])
    for user in said["users"]:
        roles = ", ".join(f"{place['role']} of {place['slug']}" for place in user["tenants"])
        yield f"    {user['email']:<{width}}   {user['password']}   {roles}"
    yield from ("", "  API keys", "")
    for key in said["api_keys"]:
        yield f"    {key['key']}   {key['name']}, {key['tenant']}"
    yield from ("", "  Connect a client: each opens a browser, you sign in and choose what it may do", "")
    yield from _clients(said["mcp_url"], said["api_keys"][0]["key"])
    yield from ("", f"  Keys, pages and sign-in: {said['url']}", "  Ctrl-C ends it.")


def _clients(url: str, key: str) -> Iterator[str]:
    """Yield what the guides say, with the demonstration's own URL in it."""
    values = Values(url=url, name="harbour", key=key)
    for guide in (guides.guides()[name] for name in SHOWN):
        yield f"    {guide.name}"
        for step in filling.steps(guide, "oauth", values):
            if step.snippet is not None:
                yield from (f"      {line}" for line in step.snippet.text.splitlines())
        link = filling.link(guide, values)
        if link is not None:
            yield f"      or open {link}"
    yield from ("", "    With a key instead of a browser", f"      export {values.env}={key}")
    yield f"      doorward connect {SHOWN[0]} --url {url} --name {values.name} --key"
