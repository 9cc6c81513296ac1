"""Forms, the origin of a form, cookies, where one may be sent on to."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorward.web.cookies import Cookies
from doorward.web.forms import read_form
from doorward.web.front_door import FrontDoor, router
from doorward.web.local_path import same_site_path
from support.pages import House

pytestmark = pytest.mark.anyio
FORM = "application/x-www-form-urlencoded"


async def echo(request: Request) -> Response:
    form = await read_form(request, limit=100)
    return JSONResponse({"a": form.one("a"), "b": form.many("b")})


async def sent(house: House, body: Any, kind: str = FORM) -> Any:
    house.app = FrontDoor(
        router([Route("/", echo, methods=["POST"])]),
        errors=house.errors,
        entropy=lambda count: b"r" * count,
        https=True,
    )
    return await house.browser().client.post("/", content=body, headers={"content-type": kind})


async def test_a_form_keeps_every_pair(house: House) -> None:
    assert (await sent(house, "a=1+2&b=x&b=%C3%A4&c=")).json() == {"a": "1 2", "b": ["x", "ä"]}
    assert (await sent(house, "", f"{FORM}; charset=utf-8")).json() == {"a": "", "b": []}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("a=1&a=2", FORM, 400),
        ("a=%ff", FORM, 400),
        ("a=%00", FORM, 400),
        (b"\xff=1", FORM, 400),
        ("&".join("b=1" for _ in range(20)) + "&b=" + "x" * 50, FORM, 413),
        ('{"a":"1"}', "application/json", 415),
        ("a=1", "text/plain", 415),
        ("a=1", "multipart/form-data; boundary=x", 415),
    ],
)
async def test_what_is_no_form_of_ours_is_refused(house: House, body: Any, kind: str, status: int) -> None:
    response = await sent(house, body, kind)
    assert response.status_code == status
    assert "DW-409" in response.text


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "SAME-ORIGIN", ""])
async def test_M5_a_form_of_another_site_is_refused(house: House, site: str) -> None:
    response = await house.browser().post("/sign-in", {"email": "a@b.c", "password": "x"}, site=site)
    assert response.status_code == 403
    assert "DW-408" in response.text


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://mcp.acme.example", 422),
        ("https://mcp.acme.example.evil.example", 403),
        ("http://mcp.acme.example", 403),
        ("https://mcp.acme.example:8443", 403),
        ("null", 403),
    ],
)
async def test_without_fetch_metadata_the_origin_has_to_be_ours(house: House, origin: str, status: int) -> None:
    response = await house.browser().post("/sign-in", {"email": "a@b.c", "password": "x"}, site=None, origin=origin)
    assert response.status_code == status


async def test_a_request_that_does_not_say_where_it_comes_from_is_refused(house: House) -> None:
    response = await house.browser().client.post(
        "/sign-in", content="email=a&password=b", headers={"content-type": FORM}
    )
    assert response.status_code == 403


@pytest.mark.parametrize(
    "path",
    ["https://evil", "//evil", "/\\evil", "\\\\evil", "/%5cevil", "/%2fevil", "/%2Fevil", "/\tevil", "/\t/evil", "/a\r\nb",
     "javascript:alert(1)", "https://good@evil", "/sign-in?next=/", "/SIGN-IN", "/sign-out", "", "a", "/a#b", '/a"b', "/ä",
     "/a b", "/a?b=c d", "/%09/evil", "?a=b"],
)  # fmt: skip
def test_H13_nobody_is_sent_to_another_site_or_in_circles(path: str) -> None:
    assert same_site_path(path) == "/"


@pytest.mark.parametrize(
    "path",
    ["/", "/settings/keys?tenant=acme", "/oauth/consent?request=a-_b", "/a?u=http%3A%2F%2Fx%5C&v=//y", "/sign-inn"],
)
def test_a_path_of_this_site_is_kept_as_it_is(path: str) -> None:
    assert same_site_path(path) == path


def with_cookie(*headers: str) -> Request:
    return Request({"type": "http", "headers": [(b"cookie", header.encode()) for header in headers]})


@pytest.mark.parametrize(("secure", "prefix"), [(True, "__Host-"), (False, "")])
def test_H2_cookies_have_the_attributes_of_their_transport(secure: bool, prefix: str) -> None:
    cookies, response = Cookies(secure=secure), Response()
    cookies.set_session(response, "text", max_age=60)
    cookie = response.headers["set-cookie"]
    assert cookie.startswith(f"{prefix}doorward_session=text; HttpOnly; Max-Age=60; Path=/; SameSite=lax")
    assert ("Secure" in cookie) is secure
    assert "Domain" not in cookie
    assert cookies.session(with_cookie(f"a=b; {prefix}doorward_session=text")) == "text"


def test_two_different_values_of_a_cookie_are_none() -> None:
    cookies = Cookies(secure=False)
    assert cookies.session(with_cookie("doorward_session=a; doorward_session=b")) is None
    assert cookies.session(with_cookie("doorward_session=a", "doorward_session=b")) is None
    assert cookies.session(with_cookie("doorward_session=a; doorward_session=a")) == "a"
    assert cookies.session(with_cookie("doorward_session")) is None


def test_a_browser_id_is_taken_in_our_form_only() -> None:
    cookies, response = Cookies(secure=False), Response()
    cookies.set_browser_id(response, "a" * 22)
    assert response.headers["set-cookie"].startswith(f"doorward_browser={'a' * 22};")
    assert cookies.browser_id(with_cookie(f"doorward_browser={'a' * 22}")) == "a" * 22
    assert cookies.browser_id(with_cookie("doorward_browser=short")) is None
    assert cookies.browser_id(with_cookie("doorward_browser=" + "a" * 21 + "<")) is None
