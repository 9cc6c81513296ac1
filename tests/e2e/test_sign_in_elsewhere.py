"""A client is let in by somebody who signs in elsewhere: at a certified provider, and at a second Doorward (E1; G7)."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect
from tests.e2e.test_in_a_browser import sign_in, waiting_client, watched

from support import chromium, named_demo
from support.https_server import HOST
from support.node import NODE_PROJECT, node
from support.oauth import answer_of
from support.running_demo import Demo, free_port, run, start, stop
from support.tls_front import authority_file, tls_front

pytestmark = pytest.mark.requirement("E1")
ERIN, UNA, PASSWORD = "erin@acme.example", "una@acme.example", "an ordinary passphrase"
SECRET = "a secret of this test alone"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that trusts the tests' own authority and asks providers on loopback."""
    folder = tmp_path_factory.mktemp("elsewhere")
    running = start(folder / "data", free_port(), program=(str(named_demo.__file__),), env=authority_file(folder))
    yield running
    stop(running)


@pytest.fixture(scope="module")
def fronts() -> Iterator[list[tuple[int, str]]]:
    """Ports, and the issuers before them. All are open at once: what is known of an issuer is kept, so each is its own."""
    ports = [free_port(), free_port()]
    with tls_front(ports[0]) as one, tls_front(ports[1]) as two:
        yield list(zip(ports, (one, two), strict=True))


@contextmanager
def certified_provider(port: int, issuer: str, callback: str) -> Iterator[None]:
    """Run npm ``oidc-provider`` on ``port``."""
    process = subprocess.Popen(
        [node(), str(NODE_PROJECT / "identity_provider.mjs"), str(port), issuer, callback],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8", cwd=NODE_PROJECT,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "READY\n"
        yield
    finally:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def second_doorward(folder: Path, port: int, issuer: str, callback: str) -> Iterator[str]:
    """Run another Doorward on ``port`` whose public name is ``issuer``; yields the secret of its client."""
    config = folder / "doorward.toml"
    document = {
        "servers": [{"slug": "wiki", "upstream": "http://127.0.0.1:9/mcp", "tools": [{"match": "*", "requires": ["a:read"]}]}],
        "users": [{"email": UNA, "name": "Una Example", "password": PASSWORD}],
        "tenants": [
            {
                "slug": "home", "servers": ["wiki"], "members": [{"user": UNA, "roles": ["owner"]}],
                "clients": [{"id": "doorward", "name": "Doorward", "type": "confidential", "redirect_uris": [callback]}],
            }
        ],
    }  # fmt: skip
    path = folder / "home.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    run("doorward.cli.main", "init", "--config", str(config), "--data", str(folder / "data"))
    server = f'[server]\npublic_url = "{issuer}"\nport = {port}\n'
    config.write_text(f'data_dir = "data"\n{server}', encoding="utf-8")
    applied = run("doorward.cli.main", "apply", "-f", str(path), "--config", str(config)).stdout
    secret = re.search(r"dwk_[0-9A-Za-z]+", applied)
    assert secret is not None, applied
    command = [sys.executable, "-m", "doorward.cli.main", "serve", "--config", str(config)]
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with httpx2.Client(transport=httpx2.HTTPTransport(retries=200), trust_env=False) as http:
            http.get(f"http://127.0.0.1:{port}/.well-known/openid-configuration", timeout=60)
        yield secret[0]
    finally:
        process.terminate()
        process.wait(15)


def declare(demo: Demo, slug: str, issuer: str, secret: str, **more: Any) -> None:
    """Declare the provider, with its secret, for acme.example, whose people join Acme."""
    said = {"slug": slug, "name": f"The {slug}", "issuer": issuer, "client_id": "doorward", "secret": slug.upper()}
    subprocess.run(
        [sys.executable, "-m", "doorward.cli.main", "secret", "set", slug.upper(), "--data", str(demo.data)],
        input=secret, text=True, check=True, timeout=60,
    )  # fmt: skip
    demo.apply({"providers": [said | {"domains": ["acme.example"]} | more]})
    demo.command("domain", "add", "acme", "acme.example", "--join", "viewer")
    demo.command("domain", "verify", "acme", "acme.example", "--by-hand", "a test")


def lets_a_client_in(demo: Demo, button: str, sign_in_there: Callable[[Page], None], person: str) -> None:
    """Have a client send somebody who comes back from the provider to our consent page, and approve there."""
    with waiting_client(demo) as (client, redirect), chromium.browser(host=HOST) as context:
        page, _ = watched(context)
        page.goto(client.authorize_url("documents:read", redirect_uri=redirect))
        page.screenshot(path=chromium.keep(f"sign-in-with-{person}"), full_page=True)
        page.get_by_role("button", name=button).click()
        sign_in_there(page)
        # G7: whatever the provider remembers, it is our page that asks, in words about this client.
        expect(page.get_by_role("button", name="Approve")).to_be_visible(timeout=20_000)
        assert page.url.startswith(f"{demo.url}/oauth/consent?")
        expect(page.get_by_text(f"{person} Example").first).to_be_visible()
        page.get_by_role("button", name="Approve").click()
        page.wait_for_url(re.compile(re.escape(redirect)))
        assert "code" in answer_of(page.url)
        again = client.authorize_url("documents:read", redirect_uri=redirect)
        page.goto(again)
        expect(page.get_by_role("button", name="Approve")).to_be_visible()
        page.goto(f"{demo.url}/settings/profile")
        expect(page.get_by_text(button.removeprefix("Continue with ")).first).to_be_visible()
        page.screenshot(path=chromium.keep(f"profile-{person}"), full_page=True)


def at_the_certified_provider(page: Page) -> None:
    page.get_by_placeholder("Enter any login").fill(ERIN)
    page.get_by_placeholder("and password").fill("anything")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def at_the_second_doorward(page: Page) -> None:
    sign_in(page, UNA, PASSWORD)
    page.get_by_role("button", name="Approve").click()


def test_G7_somebody_comes_from_a_certified_provider_and_is_asked_by_our_own_page(
    demo: Demo, fronts: list[tuple[int, str]]
) -> None:
    port, issuer = fronts[0]
    callback = f"{demo.url}/sign-in/with/certified/callback"
    with certified_provider(port, issuer, callback):
        declare(demo, "certified", issuer, SECRET)
        lets_a_client_in(demo, "Continue with The certified", at_the_certified_provider, "Erin")


def test_a_second_doorward_is_a_provider_like_any_other(
    demo: Demo, fronts: list[tuple[int, str]], tmp_path: Path
) -> None:
    port, issuer = fronts[1]
    callback = f"{demo.url}/sign-in/with/doorward/callback"
    with second_doorward(tmp_path, port, issuer, callback) as secret:
        # Its addresses are what an administrator wrote, and it says so; here the operator believes that one.
        declare(demo, "doorward", issuer, secret, trust_email=True)
        lets_a_client_in(demo, "Continue with The doorward", at_the_second_doorward, "Una")
