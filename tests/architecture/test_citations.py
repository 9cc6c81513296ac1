"""What the repository cites, it holds: whoever reads it has nothing else."""

import re

import pytest
import yaml

from support.tree import ROOT, text, tracked

HERE = "tests/architecture/test_citations.py"
DOCUMENT = re.compile(r"([\w-]+\.md)\b")
RULING = re.compile(r"\b[Rr]ulings?\b(?! out)")
RECORD = re.compile(r"\b[Dd]ecisions? (\d{4})(?:\.(\d+))?")
FEATURE = re.compile(r"\b[Ff]eatures? ((?:[A-I]\d+(?:, | and | to )?)+)")
CASE = re.compile(r"\bsecurity ((?:[A-N]\d+(?:, | and | to )?)+)")

pytestmark = pytest.mark.skipif(not tracked(), reason="not a clone: no list of tracked files")


def written() -> dict[str, str]:
    """Return what people wrote, by its path below the root."""
    endings = {".py", ".md", ".yaml", ".toml", ".html", ".js", ".css", ".sh", ""}
    paths = {str(path.relative_to(ROOT)): path for path in tracked() if path.suffix in endings}
    return {name: text(path) for name, path in paths.items() if name not in {HERE, "LICENSE"} and path.is_file()}


def ids(catalogue: str) -> set[str]:
    return {str(entry["id"]) for entry in yaml.safe_load(text(ROOT / "tests" / "requirements" / f"{catalogue}.yaml"))}


def cited(pattern: re.Pattern[str]) -> set[tuple[str, str]]:
    """Return ``(file, id)`` of every id in the lists that a pattern finds."""
    return {
        (name, found)
        for name, words in written().items()
        for listed in pattern.findall(words)
        for found in re.findall(r"[A-Z]\d+", listed)
    }


def test_every_document_that_is_named_is_here() -> None:
    here = {path.name for path in tracked()}
    assert not {
        (name, found) for name, words in written().items() for found in DOCUMENT.findall(words) if found not in here
    }


def test_nothing_is_justified_by_a_ruling_that_only_its_author_can_read() -> None:
    assert not {name for name, words in written().items() if RULING.search(words)}


def test_every_decision_that_is_cited_is_recorded_with_that_point() -> None:
    records = {path.name[:4]: text(path) for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md")}
    assert not {
        (name, number, point)
        for name, words in written().items()
        for number, point in RECORD.findall(words)
        if number not in records or (point and f"\n{point}. **" not in records[number])
    }


@pytest.mark.parametrize(("pattern", "catalogue"), [(FEATURE, "product"), (CASE, "security")])
def test_every_id_that_is_cited_is_in_its_catalogue(pattern: re.Pattern[str], catalogue: str) -> None:
    found, known = cited(pattern), ids(catalogue)
    assert found
    assert not {(name, key) for name, key in found if key not in known}
