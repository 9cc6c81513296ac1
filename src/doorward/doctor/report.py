"""A report as text for people, as JSON, and as JUnit for CI. Everything a server said was cleaned before."""

import html
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from doorward.doctor.examine import Report, Result
from doorward.doctor.record import Finding, Status
from doorward.doctor.replays import names

_INDENT: Final = " " * 9


def as_text(report: Report) -> str:
    """Return one line per check, and what was found under it."""
    lines = [f"Doorward doctor: {report.url}", ""]
    for result in report.results:
        note = f" ({result.skipped})" if result.skipped else ""
        lines.append(f"{result.status.upper():<4}  {result.number:>2}  {result.check.title}{note}")
        for finding in result.findings:
            lines += [f"{_INDENT} {line}" for line in _told(finding, result)]
    counts = [f"{report.count(each)} {word}" for each, word in _WORDS.items() if report.count(each)]
    return "\n".join([*lines, "", ", ".join(counts) + "."]) + "\n"


_WORDS: Final = {Status.PASS: "passed", Status.WARN: "warned", Status.FAIL: "failed", Status.SKIP: "left out"}


def as_json(report: Report) -> str:
    """Return one JSON object."""
    checks = [
        {
            "number": result.number, "id": result.check.id, "title": result.check.title, "why": result.check.why,
            "status": result.status.value, "skipped": result.skipped or None,
            "findings": [_members(finding, result) for finding in result.findings],
        }
        for result in report.results
    ]  # fmt: skip
    counts = {status.value: report.count(status) for status in Status}
    return json.dumps({"url": report.url, "reached": report.reached, "counts": counts, "checks": checks})


def as_junit(report: Report) -> str:
    """Return a JUnit file: a test case per check; warnings are told and do not fail."""
    failed, skipped = report.count(Status.FAIL), report.count(Status.SKIP)
    cases = "\n".join(_case(result) for result in report.results)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuite name="doorward doctor" tests="{len(report.results)}" failures="{failed}" errors="0"'
        f' skipped="{skipped}">\n<properties><property name="url" value="{_xml(report.url)}"/></properties>\n'
        f"{cases}\n</testsuite>\n"
    )


def _case(result: Result) -> str:
    inner = ""
    told = [line for finding in result.findings for line in _told(finding, result)]
    if result.status is Status.FAIL:
        message = next(each.what for each in result.findings if each.status is Status.FAIL)
        text = _xml("\n".join(told))
        inner = f'<failure message="{_xml(message)}">{text}</failure>'
    elif result.status is Status.WARN:
        text = _xml("\n".join(told))
        inner = f"<system-out>{text}</system-out>"
    elif result.status is Status.SKIP:
        inner = f'<skipped message="{_xml(result.skipped)}"/>'
    name = _xml(f"{result.number:02} {result.check.title}")
    return f'<testcase classname="doorward.doctor" name="{name}">{inner}</testcase>'


def _told(finding: Finding, result: Result) -> Iterator[str]:
    yield finding.what
    for word in ("url", "expected", "got", "fix"):
        if value := getattr(finding, word):
            yield f"{word + ':':<10}{value}"
    hit = _hit(finding, result)
    yield f"{'hits:':<10}{', '.join(hit) or 'every client'}"
    if finding.request_id:
        yield f"{'request:':<10}{finding.request_id} (on the server: doorward log {finding.request_id})"


def _members(finding: Finding, result: Result) -> dict[str, Any]:
    texts = ("what", "url", "expected", "got", "fix", "request_id")
    return {
        "status": finding.status.value,
        **{name: getattr(finding, name) or None for name in texts},
        "hits": list(finding.hits or result.check.hits),
    }


def _hit(finding: Finding, result: Result) -> Sequence[str]:
    return [names().get(each, each) for each in finding.hits or result.check.hits]


def _xml(text: str) -> str:
    # Control characters are not allowed in XML 1.0, not even escaped.
    return html.escape("".join(each for each in text if each == "\n" or each >= " "), quote=True)
