"""Makes all checks, in their order, and says how each ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from doorward.doctor.catalogue import CHECKS, Check
from doorward.doctor.checks_clients import clean_up
from doorward.doctor.record import Finding, Record, Status
from doorward.doctor.visit import Options, Visit
from doorward.doctor.wire import Wire

_WORST = (Status.PASS, Status.SKIP, Status.WARN, Status.FAIL)


@dataclass(frozen=True, slots=True)
class Result:
    """One check, how it ended, what was found, and why it was left out if it was."""

    number: int
    check: Check
    status: Status
    findings: Sequence[Finding]
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The whole examination. ``reached``: anything answered at all."""

    url: str
    results: Sequence[Result]
    reached: bool

    def count(self, status: Status) -> int:
        """Return how many checks ended so."""
        return sum(result.status is status for result in self.results)


async def examine(url: str, wire: Wire, options: Options | None = None) -> Report:
    """Examine the MCP server at ``url``. Never raises for what the server does."""
    record = Record(url=url)
    visit = Visit(wire=wire, record=record, options=options or Options())
    stopped = ""
    for check in CHECKS:
        if not stopped:
            await check.ask(visit)
        stopped = stopped or _stops(record, check)
    await clean_up(visit)
    results = [_result(number, check, record, stopped, visit.options.clients) for number, check in enumerate(CHECKS, 1)]
    return Report(url, results, reached=any(each.answer is not None for each in record.exchanges.values()))


def _stops(record: Record, check: Check) -> str:
    """Return why it makes no sense to go on: nothing answers, or nobody is asked for a token."""
    if check.id != "challenge":
        return ""
    answers = [each.answer for each in record.named("challenge/").values()]
    if not any(answers):
        return "the server does not answer"
    first = record.answer("challenge/POST")
    return "the server asks for no token" if first is not None and first.status < 300 else ""  # noqa: PLR2004


def _result(number: int, check: Check, record: Record, stopped: str, clients: frozenset[str] | None) -> Result:
    if stopped and number > 2:  # noqa: PLR2004  (network and challenge were made)
        return Result(number, check, Status.SKIP, (), stopped)
    found = [_cleaned(each, record) for each in check.judge(record) if _concerns(each, check, clients)]
    skipped = record.skipped.get(check.id, "")
    status = max((each.status for each in found), key=_WORST.index, default=Status.SKIP if skipped else Status.PASS)
    return Result(number, check, status, found, "" if found else skipped)


def _cleaned(finding: Finding, record: Record) -> Finding:
    """Return it so that it can be shown: much of it is what the server said."""
    shown = record.shown
    return replace(
        finding, what=shown(finding.what), url=shown(finding.url), expected=shown(finding.expected),
        got=shown(finding.got), fix=shown(finding.fix), request_id=shown(finding.request_id),
    )  # fmt: skip


def _concerns(finding: Finding, check: Check, clients: frozenset[str] | None) -> bool:
    hit = finding.hits or check.hits
    return clients is None or not hit or bool(clients & set(hit))
