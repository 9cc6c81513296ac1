"""A server that nobody has set up yet: mail goes to its console, passkeys are possible, and it has a link for the owner."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

from support.running_demo import free_port
from support.serving import serving

SECONDS = 120
OWNER, GUEST, PASSWORD = "ines@acme.example", "nils@acme.example", "seven green lighthouses"


@contextmanager
def fresh(folder: Path) -> Iterator[tuple[str, list[str], Path]]:
    """Yield the address of a server that nobody has set up yet, what it says, and its configuration file."""
    port, config = free_port(), folder / "doorward.toml"
    (folder / "data").mkdir()
    config.write_text(
        f'data_dir = "data"\n[server]\nport = {port}\npublic_url = "http://localhost:{port}"\n[mail]\nmode = "console"\nsign_in_links = true\n'
    )
    with serving(config) as said:
        yield f"http://localhost:{port}", said, config


def told(said: list[str], pattern: str, *, before: int = 0) -> str:
    """Return the newest thing of this form, once the server has said more than ``before`` of them."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found = re.findall(pattern, "".join(said))
        if len(found) > before:
            return str(found[-1])
        threading.Event().wait(0.05)  # not a busy loop: what is said comes from another thread
    raise AssertionError("".join(said)[-2000:])


def fill_first_owner(page: Page) -> None:
    for label, value in {
        "tenant": "Acme Robotics", "slug": "acme", "name": "Ines Duarte", "email": OWNER, "password": PASSWORD,
        "again": PASSWORD,
    }.items():  # fmt: skip
        page.locator(f"#{label}").fill(value)
    page.get_by_role("button", name="Set up").click()
