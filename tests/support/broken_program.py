"""A program that breaks its description in every way that a check of Schemathesis is for, each at an address of its own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from support.running_demo import free_port

CODES = {
    "not_a_server_error": "ST101",
    "status_code_conformance": "ST103",
    "content_type_conformance": "ST105",
    "response_headers_conformance": "ST107",
    "response_schema_conformance": "ST108",
    "negative_data_rejection": "ST201",
    "positive_data_acceptance": "ST202",
    "missing_required_header": "ST203",
    "unsupported_method": "ST204",
    "allow_header_conformance": "ST205",
    "use_after_free": "ST301",
    "ensure_resource_availability": "ST302",
    "ignored_auth, of a key and of a session": "ST401 API accepts requests without authentication: 2",
    "what_is_described_is_read": "ST901",
}
"""What is said at the end where a check has found something."""
ANY = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"]
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
WHICH = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
NEEDED = {"name": "X-Needed", "in": "header", "required": True, "schema": {"type": "string", "pattern": "^[a-z]{3}$"}}


def _answer(body: Any, status: int = 200) -> Any:
    async def answer(_request: Request) -> Response:
        return JSONResponse(body, status)

    return answer


async def _plain(_request: Request) -> Response:
    return PlainTextResponse("n is 1")


async def _guarded(request: Request) -> Response:
    good = request.headers.get("authorization") == "Bearer good"
    return JSONResponse({"id": "1"}, 201) if good else JSONResponse({}, 401)


def _operation(name: str, *, success: str = "200", **more: Any) -> dict[str, Any]:
    told = {"description": "", "content": {"application/json": {"schema": more.pop("schema", {})}}}
    told |= {each: more.pop(each) for each in ("headers", "links") if each in more}
    failures = {status: {"description": ""} for status in ("400", "401", "404", "405", "415", "422")}
    return {"operationId": name, "responses": {success: told, **failures}, **more}


def _body() -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": NUMBER}}}


def _links(*names: str) -> dict[str, Any]:
    return {name: {"operationId": name, "parameters": {"id": "$response.body#/id"}} for name in names}


OPERATIONS: list[tuple[str, str, dict[str, Any], Any]] = [
    ("/crash", "get", _operation("crash"), _answer({}, 500)),
    ("/status", "get", _operation("status"), _answer({}, 418)),
    ("/plain", "get", _operation("plain"), _plain),
    ("/shape", "get", _operation("shape", schema=NUMBER), _answer({"n": "one"})),
    ("/header", "get", _operation("header", headers={"X-Told": {"required": True, "schema": {}}}), _answer({})),
    ("/lax", "post", _operation("lax", requestBody=_body()), _answer({})),
    ("/strict", "post", _operation("strict", requestBody=_body()), _answer({}, 404)),
    ("/reader", "post", _operation("reader", requestBody=_body()), _answer({"detail": "The body is not what this address takes."}, 422)),
    ("/needed", "get", _operation("needed", parameters=[NEEDED]), _answer({})),
    ("/open", "get", _operation("open", security=[{"key": []}]), _answer({})),
    ("/page", "get", _operation("page", security=[{"session": []}]), _answer({})),
    (
        "/things", "post",
        _operation("create", success="201", security=[{"key": []}], links=_links("show", "lose", "remove")), _guarded,
    ),
    ("/things/{id}", "get", _operation("show", parameters=[WHICH]), _answer({"id": "1"})),
    ("/things/{id}", "delete", _operation("remove", parameters=[WHICH]), _answer({})),
    ("/things/{id}/lost", "get", _operation("lose", parameters=[WHICH]), _answer({}, 404)),
]  # fmt: skip
"""Path, method, what is promised, and what is done."""


def described() -> dict[str, Any]:
    """Return what the program promises."""
    paths: dict[str, Any] = {}
    for path, method, operation, _ in OPERATIONS:
        paths.setdefault(path, {})[method] = operation
    schemes = {
        "key": {"type": "http", "scheme": "bearer"}, "session": {"type": "apiKey", "in": "cookie", "name": "session"},
    }  # fmt: skip
    return {
        "openapi": "3.1.0", "info": {"title": "broken", "version": "1"}, "paths": paths,
        "components": {"securitySchemes": schemes},
    }  # fmt: skip


@contextmanager
def broken_program() -> Iterator[tuple[str, dict[str, Any]]]:
    """Serve it; yield its URL and its description."""
    # Every method is taken at /open, whatever is promised.
    routes = [
        Route(path, endpoint, methods=ANY if path == "/open" else [method.upper()])
        for path, method, _, endpoint in OPERATIONS
    ]
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}", described()
    finally:
        server.should_exit = True
        thread.join(10)
