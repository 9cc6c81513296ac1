"""The benchmark of the pages measures pages that answer, all of the navigation, and says which miss their target."""

import pytest
from bench.pages import PagesReport

from bench import pages
from doorward.dashboard.navigation import PAGES


def test_every_page_of_the_navigation_is_measured_over_calls_that_were_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("KEYS", 20), ("TIMES", 1)):
        monkeypatch.setattr(pages, name, value)
    report = pages.measure(2 * pages.CHUNK)
    assert {entry.words for _, entries in PAGES for entry in entries if not entry.accounts} <= report.pages.keys()
    assert "Usage, 90 days, one tool, by key" in report.text()


def test_a_page_that_takes_longer_is_named() -> None:
    report = PagesReport("a machine", pages={"Quick": (1.0, 49.9, 1.0), "Slow": (1.0, 50.1, 1.0)})
    assert report.slower() == ["Slow"]
    assert "above 50 ms: Slow" in report.text()
