"""The page of the management API, from its routes."""

from itertools import groupby
from typing import Any

from doorward.api.callers import FORM_HEADER
from doorward.api.openapi import shown_answer, statuses
from doorward.api.route import MOST, ONESELF, USUAL, ApiRoute
from doorward.api.table import ROUTES

SAYS = f"""Everything that the pages do for a tenant, for programs. `GET /api/v1/openapi.json` has the same as OpenAPI 3.1, \
for whoever has a credential that is good here. Why it is so: [0068](decisions/0068-management-api.md).

## How to ask

```bash
curl -H "Authorization: Bearer $KEY" https://mcp.example.com/api/v1/me
```

- **Credential.** An [API key](keys.md): key and owner both need the permission of the route at the tenant, now. A key that \
is limited to a part of the tree or to some servers is not good for it. A page may ask with its session instead: from the \
same origin, and changes carry `{"-".join(p.capitalize() if p != "csrf" else "CSRF" for p in FORM_HEADER.split("-"))}` with \
the `csrf` that `/api/v1/me` answers; most of them want a recent proof, too. A request with both is refused.
- **Links.** The description says with `links` which routes take what an answer names: after `POST …/keys`, its `id` is the \
`key_id` of `GET …/keys/{{key_id}}` and of the changes. A list leads on by its first item.
- **Bodies** are JSON in UTF-8. A member or parameter that is not known is refused with its place.
- **Errors** are `application/problem+json` (RFC 9457) with a `code` from [errors](errors.md), and `errors` with JSON pointers \
where something is not as described. What is another tenant's is answered like what does not exist.
- **Lists** come in pages: `limit` (1 to {MOST}, usually {USUAL}) and `after`, which is the `next` of the page before, good \
for the same caller and query. What is added meanwhile makes no row come twice or never.
- **Again, but once.** Every POST takes `Idempotency-Key`: the same key with the same request is done once, and answered the \
same for 24 hours, with `Idempotency-Replayed: true`. Secrets are told the first time only: when the answer was lost, rotate. \
The same key with another request is 422; while the first is being answered, 409. What was refused is not remembered.
"""


def api_page(generated: str) -> str:
    """Return the page: how to ask, and every route."""
    parts = ["# Management API\n", generated, SAYS]
    for kind, routes in groupby(sorted(ROUTES, key=_kind), key=_kind):
        parts.append(f"## {kind.capitalize()}\n")
        parts += [_route(route) for route in routes]
    return "\n".join(parts)


def _kind(route: ApiRoute) -> str:
    return route.name.partition(".")[0].replace("-", " ")


def _route(route: ApiRoute) -> str:
    needs = "about oneself" if route.needs is ONESELF else f"needs `{route.needs}`"
    only = "" if route.keys else "; by session only"
    lines = [f"### {route.method} {route.path}\n", f"{route.says} ({needs}{only})\n"]
    asked = {name: shape.schema() for name, shape in route.asks.shapes.items()}
    if asked:
        lines.append(f"- Query: {_listed(asked, route.asks.needs)}")
    if route.body is not None:
        schema = route.body.schema()
        lines.append(f"- Body: {_listed(schema.get('properties', {}), schema.get('required', ()))}")
    lines.append(f"- Answer {route.status.value}: {_answer(route)}")
    also = [f"{status.value} {when}" for status, when in statuses(route).items() if status in route.also]
    lines += [f"- Also: {' '.join(also)}"] if also else []
    return "\n".join(lines) + "\n"


def _answer(route: ApiRoute) -> str:
    properties = shown_answer(route).get("properties")
    return "an object" if not properties else _listed(properties, properties)


def _listed(schemas: dict[str, Any], needs: Any) -> str:
    found = [f"`{name}`{'' if name in needs else '?'} {_kind_of(schema)}" for name, schema in schemas.items()]
    return ", ".join(found) or "nothing"


def _kind_of(schema: dict[str, Any]) -> str:
    says = f" ({schema['description'].rstrip('.')})" if "description" in schema else ""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind_of(each) for each in schema["anyOf"])) + says
    if "enum" in schema:
        return " / ".join(f"`{each}`" for each in schema["enum"]) + says
    if schema.get("type") == "array":
        return f"list of {_kind_of(schema['items'])}{says}"
    if schema.get("properties"):
        return f"{{{', '.join(schema['properties'])}}}{says}"
    words = {"string": "text", "integer": "number", "boolean": "true / false", "object": "object", "null": "null"}
    return words.get(str(schema.get("type")), "anything") + says
