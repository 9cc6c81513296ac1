"""What the demonstration says when it is ready: one JSON object, or a page for people with commands to paste."""

import base64
import json
import os
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from doorward.demo.memory import Memory
from doorward.demo.prepare import KEYS, declared


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
    cursor = json.dumps({"mcpServers": {"harbour": {"url": url}}})
    install = base64.b64encode(json.dumps({"url": url}).encode()).decode()
    code = json.dumps({"name": "harbour", "type": "http", "url": url}, separators=(",", ":"))
    yield f"    Claude Code   claude mcp add --transport http harbour {url}"
    yield "                  then /mcp in a session, or: claude mcp login harbour"
    yield f"      with a key  claude mcp add --transport http harbour {url} --header 'Authorization: Bearer {key}'"
    yield f"    Codex CLI     codex mcp add harbour --url {url}"
    yield f"      with a key  export HARBOUR_KEY={key}"
    yield f"                  codex mcp add harbour --url {url} --bearer-token-env-var HARBOUR_KEY"
    yield f"    Cursor        cursor://anysphere.cursor-deeplink/mcp/install?name=harbour&config={quote(install, safe='')}"
    yield f"                  or in ~/.cursor/mcp.json: {cursor}"
    yield f"    VS Code       code --add-mcp {shlex.quote(code)}"
    yield f"                  or open vscode:mcp/install?{quote(code, safe='')}"
