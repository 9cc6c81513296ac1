"""Takes the gap off every security case that a test names by now. Run by ``make fix``.

usage: PYTHONPATH=tests python tests/requirements/close_gaps.py
"""

import re
import sys
from importlib import import_module
from pathlib import Path

CASES = Path(__file__).with_name("security.yaml")
ENTRY = re.compile(r"^- \{id: (\w+), .*?(, gap: \"[^\"]*\")\}$", re.MULTILINE)


def main() -> int:
    """Rewrite security.yaml."""
    sys.path.insert(0, str(CASES.parent))
    named = import_module("test_manifest").named()
    before = CASES.read_text(encoding="utf-8")
    after = ENTRY.sub(lambda m: m[0].replace(m[2], "") if f"security/{m[1]}" in named else m[0], before)
    CASES.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
