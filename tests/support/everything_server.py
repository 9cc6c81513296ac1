"""An MCP server with everything the public conformance suite asks of a server, built on the official SDK.

Run as a program it prints its URL and serves on loopback until it is ended. It knows nothing of Doorward.
"""

import asyncio
import base64
import json
import socket
import sys
from typing import Any

import mcp_types as types
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.exceptions import MCPError

from support.tasks_extension import conformance_tasks

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
PAUSE = 0.05

server = MCPServer(
    "everything", version="1", instructions="A server for conformance tests.", extensions=[conformance_tasks()]
)


def text(words: str) -> types.TextContent:
    return types.TextContent(type="text", text=words)


def embedded(uri: str, mime: str, words: str) -> types.EmbeddedResource:
    return types.EmbeddedResource(
        type="resource", resource=types.TextResourceContents(uri=uri, mime_type=mime, text=words)
    )


@server.tool()
def test_simple_text() -> str:
    """Return simple text."""
    return "This is a simple text response for testing."


@server.tool()
def test_image_content() -> types.CallToolResult:
    """Return an image."""
    return types.CallToolResult(content=[types.ImageContent(type="image", data=PNG, mime_type="image/png")])


@server.tool()
def test_audio_content() -> types.CallToolResult:
    """Return a sound."""
    return types.CallToolResult(content=[types.AudioContent(type="audio", data=WAV, mime_type="audio/wav")])


@server.tool()
def test_embedded_resource() -> types.CallToolResult:
    """Return an embedded resource."""
    words = "This is an embedded resource content."
    return types.CallToolResult(content=[embedded("test://embedded-resource", "text/plain", words)])


@server.tool()
def test_multiple_content_types() -> types.CallToolResult:
    """Return several kinds of content."""
    image = types.ImageContent(type="image", data=PNG, mime_type="image/png")
    data = json.dumps({"test": "data", "value": 123})
    mixed = embedded("test://mixed-content-resource", "application/json", data)
    return types.CallToolResult(content=[text("Multiple content types test:"), image, mixed])


@server.tool()
async def test_tool_with_logging(ctx: Context) -> str:
    """Log three times."""
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.session.send_log_message(level="info", data=words, related_request_id=ctx.request_context.request_id)
        await asyncio.sleep(PAUSE)
    return "Logged three times."


@server.tool()
async def test_tool_with_progress(ctx: Context) -> str:
    """Report progress three times."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100)
        await asyncio.sleep(PAUSE)
    return "Done."


@server.tool()
def test_error_handling() -> types.CallToolResult:
    """Fail on purpose."""
    return types.CallToolResult(content=[text("This tool intentionally returns an error for testing")], is_error=True)


@server.tool()
async def test_sampling(prompt: str, ctx: Context) -> str:
    """Ask the client's model."""
    message = types.SamplingMessage(role="user", content=text(prompt))
    related = ctx.request_context.request_id
    answer = await ctx.session.create_message([message], max_tokens=100, related_request_id=related)
    return f"LLM response: {answer.content.text if isinstance(answer.content, types.TextContent) else answer.content}"


async def _asked(ctx: Context, message: str, schema: dict[str, Any]) -> types.ElicitResult:
    return await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_context.request_id)


@server.tool()
async def test_elicitation(message: str, ctx: Context) -> str:
    """Ask the person for a name and an address."""
    fields = {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    }
    schema = {"type": "object", "properties": fields, "required": ["username", "email"]}
    answer = await _asked(ctx, message, schema)
    return f"User response: action={answer.action}, content={json.dumps(answer.content)}"


@server.tool()
async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    """Ask with a default for every primitive type."""
    fields = {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    }
    answer = await _asked(ctx, "Please review", {"type": "object", "properties": fields, "required": []})
    return f"Elicitation completed: action={answer.action}, content={json.dumps(answer.content)}"


@server.tool()
async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    """Ask with every form of choice."""
    options = ["option1", "option2", "option3"]
    titled = [
        {"const": f"value{n}", "title": f"{word} Option"} for n, word in enumerate(("First", "Second", "Third"), 1)
    ]
    choices = [
        {"const": f"value{n}", "title": f"{word} Choice"} for n, word in enumerate(("First", "Second", "Third"), 1)
    ]
    fields = {
        "untitledSingle": {"type": "string", "enum": options},
        "titledSingle": {"type": "string", "oneOf": titled},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
        "titledMulti": {"type": "array", "items": {"anyOf": choices}},
    }
    answer = await _asked(ctx, "Please choose", {"type": "object", "properties": fields, "required": []})
    return f"Elicitation completed: action={answer.action}, content={json.dumps(answer.content)}"


@server.tool()
async def test_missing_capability(ctx: Context) -> str:
    """Need the sampling capability."""
    capabilities = ctx.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        data = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(code=-32021, message="This tool needs the sampling capability", data=data)
    return "The client can sample."


@server.tool()
async def test_streaming_elicitation(ctx: Context) -> str | types.InputRequiredResult:
    """Ask in the middle of a stream."""
    name = _form_answer(ctx, "user_name", "name")
    return f"Hello, {name}!" if name else _required({"user_name": _form("What is your name?", "name")})


@server.tool()
async def test_logging_tool(ctx: Context) -> str:
    """Log once, for whoever asked for a level."""
    await ctx.session.send_log_message(level="info", data="logged", related_request_id=ctx.request_context.request_id)
    return "Logged."


@server.tool()
async def test_reconnection(ctx: Context) -> str:
    """Close the stream in the middle of a call, where the transport allows it."""
    await ctx.close_sse_stream()
    await asyncio.sleep(PAUSE)
    return "Reconnection test completed."


# The suite's task scenarios call these; for a client that knows no tasks they answer at once.


@server.tool()
def greet(name: str = "you") -> str:
    """Greet."""
    return f"Hello, {name}!"


@server.tool()
def slow_compute(seconds: float = 0) -> str:
    """Compute at once."""
    return f"Computed for {seconds} seconds."


def _answers_at_once(name: str) -> None:
    def tool() -> str:
        return name

    server.add_tool(tool, name=name, description="Answer at once.")


for _name in ("failing_job", "protocol_error_job", "confirm_delete", "multi_input", "test_tool_with_task"):
    _answers_at_once(_name)


def _form(message: str, field: str, kind: str = "string") -> types.ElicitRequest:
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))


def _sample(question: str, tokens: int) -> types.CreateMessageRequest:
    message = types.SamplingMessage(role="user", content=text(question))
    return types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[message], max_tokens=tokens))


def _roots() -> types.ListRootsRequest:
    return types.ListRootsRequest()


def _required(requests: dict[str, Any], state: str | None = None) -> types.InputRequiredResult:
    return types.InputRequiredResult(input_requests=requests, request_state=state)


def _form_answer(ctx: Context, key: str, field: str) -> Any:
    answer = (ctx.input_responses or {}).get(key)
    if isinstance(answer, types.ElicitResult) and answer.action == "accept" and answer.content:
        return answer.content.get(field)
    return None


@server.tool()
async def test_input_required_result_elicitation(ctx: Context) -> str | types.InputRequiredResult:
    """Ask for a name, then greet."""
    name = _form_answer(ctx, "user_name", "name")
    return f"Hello, {name}!" if name else _required({"user_name": _form("What is your name?", "name")})


@server.tool()
async def test_input_required_result_sampling(ctx: Context) -> str | types.InputRequiredResult:
    """Ask the client's model for a capital."""
    answer = (ctx.input_responses or {}).get("capital_question")
    if answer is None:
        return _required({"capital_question": _sample("What is the capital of France?", 100)})
    return f"The model said: {getattr(getattr(answer, 'content', None), 'text', '')}"


@server.tool()
async def test_input_required_result_list_roots(ctx: Context) -> str | types.InputRequiredResult:
    """Ask for the client's roots."""
    answer = (ctx.input_responses or {}).get("client_roots")
    if answer is None:
        return _required({"client_roots": _roots()})
    return "Roots: " + ", ".join(str(root.uri) for root in getattr(answer, "roots", []))


@server.tool()
async def test_input_required_result_request_state(ctx: Context) -> str | types.InputRequiredResult:
    """Ask with a state that must come back."""
    if ctx.request_state == "confirming" and _form_answer(ctx, "confirm", "ok") is not None:
        return "state-ok"
    return _required({"confirm": _form("Please confirm", "ok", "boolean")}, "confirming")


@server.tool()
async def test_input_required_result_tampered_state(ctx: Context) -> str | types.InputRequiredResult:
    """Ask with a state that nobody may change."""
    if ctx.request_state == "guarded":
        return "state-ok"
    return _required({"confirm": _form("Please confirm", "ok", "boolean")}, "guarded")


@server.tool()
async def test_input_required_result_multiple_inputs(ctx: Context) -> str | types.InputRequiredResult:
    """Ask three things at once."""
    wanted = {
        "user_name": _form("What is your name?", "name"),
        "greeting": _sample("Generate a greeting", 50),
        "client_roots": _roots(),
    }
    if wanted.keys() <= (ctx.input_responses or {}).keys():
        return "All three answers arrived."
    return _required(wanted, "three")


@server.tool()
async def test_input_required_result_multi_round(ctx: Context) -> str | types.InputRequiredResult:
    """Ask twice, one after the other."""
    if ctx.request_state == "round-2" and _form_answer(ctx, "step2", "color"):
        return f"Your favourite colour is {_form_answer(ctx, 'step2', 'color')}."
    if ctx.request_state == "round-1" and _form_answer(ctx, "step1", "name"):
        return _required({"step2": _form("Step 2: What is your favorite color?", "color")}, "round-2")
    return _required({"step1": _form("Step 1: What is your name?", "name")}, "round-1")


@server.tool()
async def test_input_required_result_capabilities(ctx: Context) -> str | types.InputRequiredResult:
    """Ask only what the client can answer."""
    if ctx.input_responses:
        return "Answered."
    capabilities, requests = ctx.client_capabilities, dict[str, Any]()
    if capabilities and capabilities.sampling is not None:
        requests["greeting"] = _sample("Generate a greeting", 50)
    if capabilities and capabilities.elicitation is not None:
        requests["user_name"] = _form("What is your name?", "name")
    return _required(requests) if requests else "Nothing can be asked."


@server.prompt()
def test_simple_prompt() -> str:
    """Say something simple."""
    return "This is a simple prompt for testing."


@server.prompt()
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """Say both arguments."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


def _said(content: types.ContentBlock) -> types.PromptMessage:
    return types.PromptMessage(role="user", content=content)


async def _get_prompt(ctx: Any, params: types.GetPromptRequestParams) -> Any:
    """Answer the prompts that are more than text; all others are the SDK's."""
    arguments = params.arguments or {}
    if params.name == "test_prompt_with_embedded_resource":
        resource = embedded(arguments["resourceUri"], "text/plain", "Embedded resource content for testing.")
        closing = text("Please process the embedded resource above.")
        return types.GetPromptResult(messages=[_said(resource), _said(closing)])
    if params.name == "test_prompt_with_image":
        image = types.ImageContent(type="image", data=PNG, mime_type="image/png")
        return types.GetPromptResult(messages=[_said(image), _said(text("Please analyze the image above."))])
    if params.name == "test_input_required_result_prompt":
        answer = (params.input_responses or {}).get("user_context")
        if answer is None:
            return _required({"user_context": _form("What context should the prompt use?", "context")})
        return types.GetPromptResult(messages=[_said(text(f"Context: {getattr(answer, 'content', None)}"))])
    return await server._handle_get_prompt(ctx, params)


@server.prompt()
def test_prompt_with_embedded_resource(resourceUri: str) -> str:  # noqa: N803
    """Embed a resource."""
    return resourceUri


@server.prompt()
def test_prompt_with_image() -> str:
    """Show an image."""
    return "image"


@server.prompt()
def test_input_required_result_prompt() -> str:
    """Ask before it speaks."""
    return "context"


@server.resource("test://static-text", mime_type="text/plain", description="A static text.")
def static_text() -> str:
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png", description="A static image.")
def static_binary() -> bytes:
    return base64.b64decode(PNG)


@server.resource("test://watched-resource", mime_type="text/plain", description="A resource to watch.")
def watched() -> str:
    return "Watched."


@server.resource("test://template/{key}/data", mime_type="application/json", description="A template.")
def template(key: str) -> str:
    return json.dumps({"id": key, "templateTest": True, "data": f"Data for ID: {key}"})


@server.completion()
async def complete(ref: Any, argument: Any, context: Any) -> types.Completion:
    values = [word for word in ("paris", "park", "party") if word.startswith(argument.value)]
    return types.Completion(values=values, total=len(values), has_more=False)


async def _empty(ctx: Any, params: Any) -> types.EmptyResult:
    return types.EmptyResult()


low = server._lowlevel_server
low.add_request_handler("prompts/get", types.GetPromptRequestParams, _get_prompt)
low.add_request_handler("logging/setLevel", types.SetLevelRequestParams, _empty)
low.add_request_handler("resources/subscribe", types.SubscribeRequestParams, _empty)
low.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, _empty)


def main() -> None:
    """Serve on a free loopback port and say where."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()  # Before it is told: who comes early waits.
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    config = uvicorn.Config(server.streamable_http_app(), log_level="error")
    asyncio.run(uvicorn.Server(config).serve([listener]))


if __name__ == "__main__":
    sys.exit(main())
