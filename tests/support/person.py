"""A person with a browser that has no JavaScript: signs in, chooses, approves or denies, and follows the answer.

Only what a browser does: follows redirects, keeps cookies, submits the form that is on the page with what is on it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx2
from typing_extensions import override

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
MAX_STEPS = 12


@dataclass
class Field:
    """One control of a form."""

    name: str
    type: str
    value: str
    checked: bool
    disabled: bool


@dataclass
class Form:
    """One form of a page."""

    action: str
    method: str
    fields: list[Field] = field(default_factory=list)

    def named(self, name: str) -> list[Field]:
        return [item for item in self.fields if item.name == name]


class Page(HTMLParser):
    """The forms and the text of an HTML page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.text = ""
        self.feed(html)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(got.get("action", ""), got.get("method", "get").lower()))
        elif tag in {"input", "button", "select", "textarea"} and self.forms and "name" in got:
            kind = got.get("type", "submit" if tag == "button" else "text")
            value = got.get("value", "on" if kind in {"checkbox", "radio"} else "")
            self.forms[-1].fields.append(Field(got["name"], kind, value, "checked" in got, "disabled" in got))

    @override
    def handle_data(self, data: str) -> None:
        self.text += data


@dataclass
class Person:
    """Somebody with an account. ``untick`` and ``tenant`` say how they choose on the consent page."""

    email: str
    password: str
    tenant: str | None = None
    untick: Collection[str] = ()
    tick: Collection[str] = ()
    deny: bool = False
    follow_callback: bool = True
    pages: list[str] = field(default_factory=list)
    """The text of every page seen, last one last."""

    def __post_init__(self) -> None:
        # No connection is kept: nobody would close it.
        no_pool = httpx2.Limits(max_keepalive_connections=0)
        self.browser = httpx2.Client(follow_redirects=False, timeout=20, trust_env=False, limits=no_pool)

    def open(self, url: str) -> str:
        """Open an authorization URL, do what the pages ask, and return the URL that the answer goes to."""
        response = self._go("GET", url)
        for _ in range(MAX_STEPS):
            if response.is_redirect:
                target = urljoin(str(response.url), response.headers["location"])
                if self._is_answer(target, url):
                    return self._deliver(target)
                response = self._go("GET", target)
                continue
            page = Page(response.text)
            self.pages.append(" ".join(page.text.split()))
            response = self._act(page, str(response.url))
        message = f"no answer after {MAX_STEPS} steps: {self.pages[-1][:300]}"
        raise AssertionError(message)

    def _act(self, page: Page, url: str) -> httpx2.Response:
        for form in page.forms:
            if form.named("password"):
                return self._submit(form, url, {"email": self.email, "password": self.password})
            if form.named("answer"):
                return self._submit(form, url, {"answer": "deny" if self.deny else "approve"})
        message = f"nothing to do on {urlsplit(url).path}: {self.pages[-1][:400]}"
        raise AssertionError(message)

    def _submit(self, form: Form, url: str, fill: dict[str, str]) -> httpx2.Response:
        data = [(item.name, fill.get(item.name, item.value)) for item in form.fields if self._sent(item)]
        data += [(name, value) for name, value in fill.items() if name not in {sent for sent, _ in data}]
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        headers = {
            "origin": origin,
            "sec-fetch-site": "same-origin",
            "content-type": "application/x-www-form-urlencoded",
        }
        body = str(httpx2.QueryParams(data))
        return self._go("POST", urljoin(url, form.action or url), content=body, headers=headers)

    def _sent(self, item: Field) -> bool:
        if item.disabled or item.type in {"submit", "button"}:
            return False
        if item.name == "tenant" and self.tenant is not None and item.type == "radio":
            return item.value == self.tenant
        if item.type == "checkbox":
            return (item.checked or item.value in self.tick) and item.value not in self.untick
        return item.type != "radio" or item.checked

    def _go(self, method: str, url: str, **more: object) -> httpx2.Response:
        return self.browser.request(method, url, **more)  # type: ignore[arg-type]

    def _is_answer(self, target: str, start: str) -> bool:
        names = {name for name, _ in parse_qsl(urlsplit(target).query)}
        return urlsplit(target).netloc != urlsplit(start).netloc and bool(names & {"code", "error"})

    def _deliver(self, target: str) -> str:
        if self.follow_callback and urlsplit(target).hostname in LOOPBACK:
            httpx2.get(target, timeout=20, trust_env=False)
        return target


def answer_of(url: str) -> dict[str, str]:
    """Return the parameters of an authorization answer."""
    return dict(parse_qsl(urlsplit(url).query))
