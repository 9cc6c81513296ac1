"""Debian's Chromium, headless, driven by Playwright; screenshots are kept as test artefacts."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect, sync_playwright

ARTEFACTS = Path(__file__).resolve().parent.parent.parent / "test-artifacts"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage"
)

PATIENCE = 90_000
"""Milliseconds for what a page shall show or do: a busy machine is slow, not wrong."""
expect.set_options(timeout=PATIENCE)


def executable() -> str:
    """Return the browser's path; without one a test run outside CI skips, in CI it fails."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed: apt-get install chromium")
    assert path is not None, "Chromium is not installed: apt-get install chromium"
    return path


@contextmanager
def browser(*, dark: bool = False, phone: bool = False, host: str | None = None) -> Iterator[BrowserContext]:
    """Open a fresh browser profile. The name ``host`` leads to loopback, whatever authority its certificate is from."""
    more = [] if host is None else [f"--host-resolver-rules=MAP {host} 127.0.0.1"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable(), args=[*FLAGS.split(), *more])
        context = chromium.new_context(
            ignore_https_errors=host is not None,
            color_scheme="dark" if dark else "light",
            viewport={"width": 390, "height": 844} if phone else {"width": 1280, "height": 900},
        )
        context.set_default_timeout(PATIENCE)
        try:
            yield context
        finally:
            context.close()
            chromium.close()


def keep(name: str) -> str:
    """Return the path of a screenshot that is kept."""
    ARTEFACTS.mkdir(exist_ok=True)
    return str(ARTEFACTS / f"{name}.png")
