"""Debian's Chromium, headless, driven by Playwright; screenshots are kept as test artefacts."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, sync_playwright

ARTEFACTS = Path(__file__).resolve().parent.parent.parent / "test-artifacts"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage"
)


def executable() -> str:
    """Return the browser's path; without one a test run outside CI skips, in CI it fails."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed: apt-get install chromium")
    assert path is not None, "Chromium is not installed: apt-get install chromium"
    return path


@contextmanager
def browser(*, dark: bool = False, phone: bool = False) -> Iterator[BrowserContext]:
    """Open a fresh browser profile."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable(), args=FLAGS.split())
        context = chromium.new_context(
            color_scheme="dark" if dark else "light",
            viewport={"width": 390, "height": 844} if phone else {"width": 1280, "height": 900},
        )
        try:
            yield context
        finally:
            context.close()
            chromium.close()


def keep(name: str) -> str:
    """Return the path of a screenshot that is kept."""
    ARTEFACTS.mkdir(exist_ok=True)
    return str(ARTEFACTS / f"{name}.png")
