"""What a person may meet or turn is documented, and the documents are those of this commit."""

import re
import subprocess
import sys
from dataclasses import fields, is_dataclass

from doorward.protocol import faults
from doorward.protocol.faults import FAULTS
from doorward.rights import ADMINISTRATION
from doorward.settings import Settings
from support.tree import ROOT, text

DOCS = ROOT / "docs"


def test_the_generated_pages_are_those_of_this_commit() -> None:
    command = [sys.executable, str(DOCS / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_setting_has_a_line_of_help() -> None:
    sections = [
        Settings(),
        *(value for item in fields(Settings) if is_dataclass(value := getattr(Settings(), item.name))),
    ]
    for section in sections:
        assert type(section).__doc__
        for item in fields(section):
            if not is_dataclass(getattr(section, item.name)):
                assert item.metadata["help"].endswith("."), item.name


def test_every_fault_says_cause_and_fix_in_whole_sentences() -> None:
    for code, fault in FAULTS.items():
        assert re.fullmatch(r"DW-[1-5]\d\d", code)
        assert fault.cause.endswith("."), code
        assert fault.fix.endswith("."), code
        # RFC 6749 section 5.2: what error_description may hold.
        assert re.fullmatch(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+", fault.cause), code


def test_every_documented_fault_can_be_met() -> None:
    names = {name for name, fault in vars(faults).items() if isinstance(fault, faults.Fault)}
    used = {
        name
        for path in (ROOT / "src").rglob("*.py")
        if path.parent.name != "faults"
        for name in re.findall(r"\b[A-Z][A-Z_]+\b", text(path))
    }
    assert names - used == set()


def test_every_permission_about_ourselves_is_documented() -> None:
    page = text(DOCS / "permissions.md")
    for permission, words in ADMINISTRATION.items():
        assert f"| `{permission}` | {words[0].lower()}{words[1:].rstrip('.')} |" in page


def test_every_decision_is_in_the_list_and_says_its_parts() -> None:
    records = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    assert len(records) >= 6
    numbers = [record.name[:4] for record in records]
    assert sorted(set(numbers)) == numbers, "two records share a number"
    for record in records:
        for part in ("## Context", "## Decision"):
            assert part in text(record), f"{record.name}: {part}"


def test_no_link_between_our_documents_is_broken() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *DOCS.rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text(page)):
            assert (page.parent / target).exists(), f"{page.name} → {target}"
