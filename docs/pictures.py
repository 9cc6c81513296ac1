"""Takes the pictures of docs/images from what the tests in the browser have kept. Run by ``make pictures``.

usage: python docs/pictures.py
"""

import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
TAKEN = DOCS.parent / "test-artifacts"
PICTURES = {
    "setup": "settings-setup",
    "key-created": "key-created",
    "apps": "settings-apps",
    "members": "settings-members",
    "usage": "settings-usage",
    "attempt": "settings-attempts-one",
    "why": "why-denied",
    "security": "settings-security",
    "approval": "approvals-one",
}
"""Name of the picture to the name of the page in ``tests/e2e/test_every_page.py``."""


def main() -> int:
    """Copy them; say which page was not there."""
    missing = [page for page in PICTURES.values() if not (TAKEN / f"view-{page}.png").exists()]
    for name, page in PICTURES.items():
        if page not in missing:
            shutil.copyfile(TAKEN / f"view-{page}.png", DOCS / "images" / f"{name}.png")
    if missing:
        print(f"no picture of: {', '.join(missing)}. Run the tests in the browser first.")
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main())
