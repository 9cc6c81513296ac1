"""Pages, their headers, static files, the pages of the codes."""

import re
from urllib.parse import urlsplit

import pytest
from starlette.requests import Request
from starlette.responses import Response

from doorward.model import Instant
from doorward.protocol import faults
from doorward.protocol.errors import OAuthError, PageError, RedirectableError
from doorward.protocol.faults import FAULTS
from doorward.storage.database import Unstorable
from doorward.web import words
from support.pages import House

pytestmark = pytest.mark.anyio

PATHS = ["/sign-in", "/errors", "/errors/DW-101", "/nowhere"]


@pytest.mark.parametrize("path", PATHS)
async def test_M7_every_page_has_the_strict_policy_and_is_never_kept(house: House, path: str) -> None:
    response = await house.browser().get(path)
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"


async def test_only_a_page_whose_form_can_end_at_a_client_omits_form_action(house: House) -> None:
    leaving, staying = await house.browser().get("/sign-in"), await house.browser().get("/errors")
    assert "form-action" not in leaving.headers["content-security-policy"]
    assert "cross-origin-opener-policy" not in leaving.headers
    assert staying.headers["content-security-policy"].endswith("form-action 'self'")
    assert staying.headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.requirement("F3")
async def test_no_page_has_inline_code_or_asks_a_third_party(house: House, path: str) -> None:
    html = (await house.browser().get(path)).text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", html)
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    links = re.findall(r"(?:src|href)=\"([^\"]*)\"", html)
    assert links
    assert not [link for link in links if urlsplit(link).netloc or urlsplit(link).scheme]


async def test_static_files_are_named_by_their_content_and_kept_for_ever(house: House) -> None:
    browser = house.browser()
    links = re.findall(r"\"(/static/[^\"]+)\"", (await browser.get("/errors")).text)
    assert {link.rpartition("/")[2] for link in links} == {"favicon.svg", "tokens.css", "components.css", "page.js"}
    for link in links:
        response = await browser.get(link)
        assert response.status_code == 200
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "charset" in response.headers["content-type"] or link.endswith(".svg")
        assert (await browser.get(link.replace("/static/", "/static/0"))).status_code == 404


async def test_every_code_has_a_page_and_stands_in_the_list(house: House) -> None:
    browser = house.browser()
    index = (await browser.get("/errors")).text
    for code, fault in FAULTS.items():
        assert f'href="/errors/{code}"' in index
        page = await browser.get(f"/errors/{code.lower()}")
        assert page.status_code == 200
        assert fault.code in page.text
    assert (await browser.get("/errors/DW-000")).status_code == 404


def request_at(path: str) -> Request:
    return Request({"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""})


def answered(house: House, error: Exception, path: str = "/oauth/authorize") -> Response:
    return house.errors.answer(request_at(path), error)


@pytest.mark.requirement("A8")
async def test_a_page_error_is_a_page_with_code_cause_and_fix_wherever_it_happens(house: House) -> None:
    response = answered(house, PageError(faults.CLIENT_UNKNOWN, reason="private <reason>"))
    html = bytes(response.body).decode()
    assert response.status_code == 400
    assert faults.CLIENT_UNKNOWN.code in html
    assert faults.CLIENT_UNKNOWN.cause in html
    assert faults.CLIENT_UNKNOWN.fix in html
    assert "14 Nov 2023, 22:13:20 UTC" in html
    assert "private" not in html


@pytest.mark.requirement("A8")
async def test_an_oauth_error_is_json_with_the_code(house: House) -> None:
    error = OAuthError(faults.TOKEN_METHOD, "invalid_client", reason="x", status=401, www_authenticate="Basic")
    response = answered(house, error, "/oauth/token")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Basic"
    assert response.headers["cache-control"] == "no-store"
    assert b'"error":"invalid_client"' in response.body
    assert faults.TOKEN_METHOD.code.encode() in response.body


async def test_an_error_for_a_proven_client_goes_back_to_it(house: House) -> None:
    error = RedirectableError(
        faults.PKCE_MISSING, "invalid_request", reason="x", redirect_uri="http://127.0.0.1:9/cb", state="s t",
        issuer="https://mcp.acme.example",
    )  # fmt: skip
    response = answered(house, error)
    assert response.status_code == 303
    assert response.headers["location"].startswith("http://127.0.0.1:9/cb?error=invalid_request&")
    assert "state=s%20t&iss=https%3A%2F%2Fmcp.acme.example" in response.headers["location"]


async def test_a_text_that_no_database_takes_is_the_callers_fault(house: House) -> None:
    assert answered(house, Unstorable("x")).status_code == 400


async def test_M6_a_name_that_others_chose_is_escaped_cut_and_kept_in_one_line() -> None:
    assert words.cut("a\nb\t c") == "a b c"
    assert len(words.cut("x" * 500)) == 60
    assert words.initials("ines moreau de la cruz") == "IC"
    assert words.initials("Ines") == "I"
    assert words.initials("<!--") == "?"
    assert words.initials("") == "?"
    assert words.moment(Instant(0)) == "1 Jan 1970, 00:00:00 UTC"
    assert words.iso(Instant(1_700_000_000_999_999)) == "2023-11-14T22:13:20Z"
