"""The management API as OpenAPI 3.1: made from the routes, so that it says what is."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from doorward.api.callers import FORM_HEADER
from doorward.api.links import links, variables, whole_answer
from doorward.api.once import HEADER
from doorward.api.route import ONESELF, ApiRoute
from doorward.api.shapes import Each, Members, Said, Whole, answered

VERSION: Final = "1"
_PROBLEM: Final = Members(
    {
        "type": Said(), "title": Said(), "status": Whole(), "detail": Said("For people."),
        "code": Said("What kind it is; it never changes its meaning."), "request_id": Said(),
        "errors": Each(answered(pointer=Said("JSON pointer (RFC 6901)."), detail=Said())),
    },
    needs=("type", "title", "status", "detail"), says="A problem (RFC 9457).",
)  # fmt: skip
_EITHER: Final[list[dict[str, list[str]]]] = [{"key": []}, {"session": []}]
_HEADER_OF: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.SERVICE_UNAVAILABLE: "Retry-After",
    HTTPStatus.UNAUTHORIZED: "WWW-Authenticate",
}


def document(routes: Sequence[ApiRoute], public_url: str) -> dict[str, Any]:
    """Return the description of ``routes`` at ``public_url``."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, routes)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Doorward management API", "version": VERSION},
        "servers": [{"url": public_url}],
        "security": _EITHER,
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key."},
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "doorward_session",
                    "description": "A browser's session; over https the cookie has the prefix `__Host-`. Never with a key.",
                },
                "form": {
                    "type": "apiKey", "in": "header", "name": _titled(FORM_HEADER),
                    "description": "What `GET /api/v1/me` says as `csrf`. The browser has to say, too, that a page of this origin asks (`Sec-Fetch-Site`, else `Origin`).",
                },
            },
            "schemas": {"Problem": _PROBLEM.schema()},
        },
    }  # fmt: skip


def statuses(route: ApiRoute) -> dict[HTTPStatus, str]:
    """Return what a route may answer besides success, each with when."""
    said = {
        HTTPStatus.BAD_REQUEST: "A request that cannot be read, or that carries two credentials.",
        HTTPStatus.UNAUTHORIZED: "No credential that is good here.",
        HTTPStatus.FORBIDDEN: _who(route),
        HTTPStatus.UNPROCESSABLE_ENTITY: "The query, a header or the body is not as described, or names what is not there.",
        HTTPStatus.SERVICE_UNAVAILABLE: "The data cannot be reached.",
    }
    if variables(route.path):
        said[HTTPStatus.NOT_FOUND] = "Nothing of this name or id is there for this caller."
    if route.body is not None:
        said[HTTPStatus.UNSUPPORTED_MEDIA_TYPE] = "The body is not said to be JSON."
        said[HTTPStatus.REQUEST_ENTITY_TOO_LARGE] = "The body is too large."
    if route.takes_key:
        said[HTTPStatus.CONFLICT] = "A request with the same Idempotency-Key is being answered."
    also = dict(route.also)
    if HTTPStatus.CONFLICT in also and HTTPStatus.CONFLICT in said:
        also[HTTPStatus.CONFLICT] += f" {said[HTTPStatus.CONFLICT]}"
    return dict(sorted({**said, **also}.items()))


def shown_answer(route: ApiRoute) -> Mapping[str, Any]:
    """Return the schema of success."""
    return whole_answer(route).schema()


def _operation(route: ApiRoute, routes: Sequence[ApiRoute]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.says,
        "description": _who(route),
        "tags": [route.name.partition(".")[0]],
        "parameters": [*_path(route), *_query(route), *_headers(route)],
        "responses": {
            str(route.status.value): _success(route, routes),
            **{str(status.value): _problem(status, when) for status, when in statuses(route).items()},
        },
    }  # fmt: skip
    if route.body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": route.body.schema()}}}
    security = _security(route)
    if security != _EITHER:
        told["security"] = security
    return told


def _success(route: ApiRoute, routes: Sequence[ApiRoute]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "description": route.status.phrase, "content": {"application/json": {"schema": shown_answer(route)}},
    }  # fmt: skip
    following = links(route, routes)
    return {**told, "links": following} if following else told


def _security(route: ApiRoute) -> list[dict[str, list[str]]]:
    session: dict[str, list[str]] = {"session": [], "form": []} if route.changes else {"session": []}
    return [{"key": []}, session] if route.keys else [session]


def _who(route: ApiRoute) -> str:
    if route.needs is ONESELF:
        return "For whoever asks, about themselves." if route.keys else "For a person in a browser, about themselves."
    return f"Needs the permission `{route.needs}`."


def _path(route: ApiRoute) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1, "maxLength": 200}}
        for name in variables(route.path)
    ]


def _query(route: ApiRoute) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": name in route.asks.needs, "schema": shape.schema()}
        for name, shape in route.asks.shapes.items()
    ]


def _headers(route: ApiRoute) -> list[dict[str, Any]]:
    found = []
    if route.takes_key:
        schema = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"}
        says = "The same key with the same request is done once, and answered the same for a day."
        found.append(
            {"name": _titled(HEADER), "in": "header", "required": False, "schema": schema, "description": says}
        )
    return found


def _problem(status: HTTPStatus, when: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "description": when,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in _HEADER_OF:
        told["headers"] = {_HEADER_OF[status]: {"schema": {"type": "string"}}}
    return told


def _titled(header: str) -> str:
    return "-".join("CSRF" if part == "csrf" else part.capitalize() for part in header.split("-"))
