"""The documentation as static pages: built strictly, whole, nothing from elsewhere, and usable in Chromium (A6; F3)."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import expect
from typing_extensions import override

from support import chromium
from support.page_audit import audited, watched
from support.tree import ROOT

DOCS = ROOT / "docs"
LOADED = {"link": "href", "script": "src", "img": "src"}
LOOKED_AT = ["index", "clients/claude-code", "settings", "search"]

# A busy machine builds slowly; it is not wrong.
pytestmark = pytest.mark.timeout(900)


class Site(HTMLParser):
    """One page: what it loads, where it leads, what one can lead to, and what a strict policy forbids."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.ids: set[str] = set()
        self.inline: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in attrs}
        self.inline += [f"<{tag} {name}>" for name in got if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in got):
            self.inline.append(f"<{tag}>")
        if tag in LOADED and LOADED[tag] in got:
            self.loads.append(got[LOADED[tag]])
        if tag == "a" and "href" in got:
            self.leads.append(got["href"])
        if "id" in got:
            self.ids.add(got["id"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, as ``make docs`` builds them: every warning is an error."""
    out = Path(tmp_path_factory.mktemp("site"))
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-c", str(DOCS / "site")]
    done = subprocess.run([*command, str(DOCS), str(out)], capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Site]:
    return {path: Site(path) for path in site.rglob("*.html")}


@pytest.mark.requirement("A6")
def test_every_page_of_the_documents_is_there_and_in_the_list_of_pages(site: Path, pages: dict[Path, Site]) -> None:
    written = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    written -= {Path("decisions/0000-template.html")}
    assert {site / each for each in written} <= pages.keys()
    listed = {(site / target).resolve() for target in pages[site / "index.html"].leads}
    assert {(site / each).resolve() for each in written - {Path("index.html")}} <= listed


@pytest.mark.requirement("A6")
def test_no_link_and_no_anchor_is_broken(pages: dict[Path, Site]) -> None:
    broken = []
    for path, page in pages.items():
        for target in page.leads:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not to.exists() or (parts.fragment and to in pages and unquote(parts.fragment) not in pages[to].ids):
                broken.append(f"{path.name} → {target}")
    assert broken == []


@pytest.mark.requirement("F3")
def test_pages_load_nothing_from_elsewhere_and_have_no_inline_code(pages: dict[Path, Site]) -> None:
    for path, page in pages.items():
        assert page.inline == [], path.name
        for target in page.loads:
            assert not urlsplit(target).netloc, f"{path.name} loads {target}"
            assert (path.parent / urlsplit(target).path).exists(), f"{path.name} loads {target}"


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    listener = ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(site)))
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listener.server_port}"
    listener.shutdown()
    listener.server_close()


@pytest.mark.requirement("F3")
def test_the_pages_hold_in_a_browser_and_can_be_searched(address: str) -> None:
    with chromium.browser() as context, watched(context, address) as watch:
        wrong = {}
        for name in LOOKED_AT:
            watch.complaints.clear()
            watch.page.goto(f"{address}/{name}.html")
            found = audited(watch, f"docs-{name.replace('/', '-')}")
            if found:
                wrong[name] = found
        assert wrong == {}
        watch.page.goto(f"{address}/index.html")
        watch.page.get_by_label("Search").fill("rotate")
        watch.page.get_by_label("Search").press("Enter")
        expect(watch.page.locator("#search-results").get_by_role("link", name="API keys").first).to_be_visible()
        assert watch.complaints == []
