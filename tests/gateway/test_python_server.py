"""A server built on the official Python SDK behind us loses nothing to somebody who may use all of it, in both eras."""

import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from tests.gateway.deployment import server
from tests.gateway.test_everything import Transcript, behind, differing

from doorward.credentials.signing_keys import SigningKeys

pytestmark = pytest.mark.anyio

TESTS = Path(__file__).resolve().parent.parent
ARGUMENTS: dict[str, dict[str, Any]] = {
    "test_sampling": {"prompt": "say"},
    "test_elicitation": {"message": "Who are you?"},
    "greet": {"name": "Ada"},
}
PROMPTS: dict[str, dict[str, str]] = {
    "test_prompt_with_arguments": {"arg1": "a", "arg2": "b"},
    "test_prompt_with_embedded_resource": {"resourceUri": "test://static-text"},
}
URIS = ("test://static-text", "test://static-binary", "test://watched-resource", "test://template/7/data")
SAID_BY_US = {"ttlMs", "cacheScope"}
"""What is kept for how long, and for whom, is ours to say (K4)."""


@pytest.fixture(scope="module")
def product() -> Iterator[str]:
    """The URL of the server, spoken to directly."""
    command = [sys.executable, "-m", "support.everything_server"]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def plain(value: Any) -> Any:
    """Return what was seen as plain data, without what we say ourselves."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(by_alias=True, mode="json", exclude_none=True)
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items() if name not in SAID_BY_US}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


class Using:
    """One client's use of everything, and what it saw of it."""

    def __init__(self) -> None:
        self.steps: dict[str, Any] = {}
        self.asked: dict[str, list[Any]] = {}
        self.heard: list[str] = []

    async def sample(self, _context: Any, params: Any) -> types.CreateMessageResult:
        self.asked.setdefault("sampling", []).append(plain(params))
        return types.CreateMessageResult(
            role="assistant", model="test", content=types.TextContent(type="text", text="sampled")
        )

    async def elicit(self, _context: Any, params: Any) -> types.ElicitResult:
        self.asked.setdefault("elicitation", []).append(plain(params))
        known = {
            "username": "ada",
            "email": "ada@x.example",
            "name": "Ada",
            "ok": True,
            "color": "blue",
            "context": "tests",
        }
        wanted = plain(params)["requestedSchema"]["properties"]
        return types.ElicitResult(action="accept", content={name: known[name] for name in wanted if name in known})

    async def roots(self, _context: Any) -> types.ListRootsResult:
        self.asked.setdefault("roots", []).append({})
        return types.ListRootsResult(roots=[types.Root(uri="file:///one", name="one")])

    async def log(self, params: Any) -> None:
        self.heard.append(f"log {plain(params)}")

    async def step(self, name: str, action: Callable[[], Awaitable[Any]]) -> None:
        try:
            self.steps[name] = plain(await action())
        except MCPError as wrong:
            self.steps[name] = {
                "error": wrong.error.code,
                "message": wrong.error.message,
                "data": plain(wrong.error.data),
            }
        except Exception as wrong:  # noqa: BLE001  (what the client itself makes of an answer)
            self.steps[name] = f"{type(wrong).__name__}: {wrong}"

    async def everything(self, client: Client) -> None:
        self.steps["described"] = plain(
            [client.protocol_version, client.server_info, client.server_capabilities, client.instructions]
        )
        for name in ("tools", "prompts", "resources", "resource_templates"):
            await self.step(name, getattr(client, f"list_{name}"))
        if client.protocol_version != "2026-07-28":
            await self.step("ping", client.send_ping)
            await self.step("level", lambda: client.set_logging_level("debug"))
            await self.step("subscribe", lambda: client.subscribe_resource("test://watched-resource"))
            await self.step("unsubscribe", lambda: client.unsubscribe_resource("test://watched-resource"))
        for tool in self.steps["tools"]["tools"]:
            await self._tool(client, tool["name"])
        for prompt in self.steps["prompts"]["prompts"]:
            name = prompt["name"]
            await self.step(f"prompt {name}", lambda name=name: client.get_prompt(name, PROMPTS.get(name)))  # type: ignore[misc]
        for uri in URIS:
            await self.step(f"read {uri}", lambda uri=uri: client.read_resource(uri))  # type: ignore[misc]
        for ref in (
            types.PromptReference(type="ref/prompt", name="test_prompt_with_arguments"),
            types.ResourceTemplateReference(type="ref/resource", uri="test://template/{key}/data"),
        ):
            await self.step(
                f"complete {ref.type}", lambda ref=ref: client.complete(ref, {"name": "key", "value": "par"})
            )  # type: ignore[misc]

    async def _tool(self, client: Client, name: str) -> None:
        progress: list[Any] = []

        async def on_progress(*said: Any) -> None:
            progress.append(said)

        await self.step(name, lambda: client.call_tool(name, ARGUMENTS.get(name, {}), progress_callback=on_progress))
        if progress:
            self.steps[f"progress of {name}"] = progress

    @property
    def transcript(self) -> Transcript:
        return {"steps": self.steps, "asked": self.asked, "heard": sorted(self.heard)}


async def transcript(url: str, mode: str, key: str | None = None) -> Transcript:
    """Return what the official client saw."""
    using = Using()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as http,
        Client(
            streamable_http_client(url, http_client=http), mode=mode, sampling_callback=using.sample,
            elicitation_callback=using.elicit, list_roots_callback=using.roots, logging_callback=using.log,
            log_level="debug", cache=None,
        ) as client,
    ):  # fmt: skip
        await using.everything(client)
    return using.transcript


@pytest.mark.requirement("D2")
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_python_server_loses_nothing(
    product: str, furnished: tuple[Path, SigningKeys], tmp_path: Path, mode: str
) -> None:
    direct = await transcript(product, mode)
    async with behind(furnished, tmp_path, server(product)) as world:
        through = await transcript(f"http://127.0.0.1:{world.port}/mcp", mode, await world.key("alice"))
    assert direct["steps"]["described"][0] == ("2025-11-25" if mode == "legacy" else "2026-07-28")
    assert len(direct["steps"]) > 40
    assert direct["asked"].keys() == {"sampling", "elicitation", "roots"} - ({"roots"} if mode == "legacy" else set())
    assert not differing(direct, through), differing(direct, through)
