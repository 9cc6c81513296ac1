"""The links of the description: every id that an answer holds leads to what takes it, and to nothing that is not there."""

from typing import Any

import pytest

from doorward.api.links import links, places, variables, whole_answer
from doorward.api.openapi import document
from doorward.api.table import ROUTES

pytestmark = pytest.mark.requirement("F4")
BY_NAME = {route.name: route for route in ROUTES}
OPERATIONS: dict[str, Any] = {
    operation["operationId"]: operation
    for methods in document(ROUTES, "https://x.example")["paths"].values()
    for operation in methods.values()
}


def test_every_variable_of_a_path_is_named_by_some_answer_and_nothing_else_is() -> None:
    named = {name for route in ROUTES for name, _ in places(whole_answer(route), "")}
    assert named == {name for route in ROUTES for name in variables(route.path)}


def test_every_operation_with_a_variable_is_led_to() -> None:
    targets = {target["operationId"] for route in ROUTES for target in links(route, ROUTES).values()}
    assert targets == {route.name for route in ROUTES if variables(route.path)}


def test_links_are_told_with_success_and_give_all_that_their_target_takes_in_its_path() -> None:
    for name, operation in OPERATIONS.items():
        success = operation["responses"][str(BY_NAME[name].status.value)]
        for link in success.get("links", {}).values():
            taken = [each["name"] for each in OPERATIONS[link["operationId"]]["parameters"] if each["in"] == "path"]
            assert list(link["parameters"]) == taken, name
        assert sum("links" in answer for answer in operation["responses"].values()) == ("links" in success)


@pytest.mark.parametrize(
    ("source", "link", "parameters"),
    [
        ("keys.create", "keys.rotate", {"slug": "$request.path.slug", "key_id": "$response.body#/id"}),
        ("keys.list", "keys.show", {"slug": "$request.path.slug", "key_id": "$response.body#/keys/0/id"}),
        ("me.show", "settings.show", {"slug": "$response.body#/tenants/0/slug"}),
        (
            "clients.list", "clients.retire-secret",
            {
                "slug": "$request.path.slug", "client_id": "$response.body#/clients/0/id",
                "secret_id": "$response.body#/clients/0/secrets/0/id",
            },
        ),
        (
            "clients.add-secret", "clients.retire-secret",
            {
                "slug": "$request.path.slug", "client_id": "$request.path.client_id",
                "secret_id": "$response.body#/secrets/0/id",
            },
        ),
        (
            "approvals.list", "approvals.deny-waiting",
            {"slug": "$request.path.slug", "approval_id": "$response.body#/waiting/0/id"},
        ),
    ],
)  # fmt: skip
def test_a_link_says_where_each_value_is(source: str, link: str, parameters: dict[str, str]) -> None:
    assert links(BY_NAME[source], ROUTES)[link] == {
        "operationId": link.removesuffix("-waiting"), "parameters": parameters,
    }  # fmt: skip


def test_what_a_tenant_names_is_not_looked_for_among_ones_own() -> None:
    assert not [name for name in links(BY_NAME["connections.list"], ROUTES) if name.startswith("my-")]
