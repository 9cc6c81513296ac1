"""The place on a call's way where an approval is asked for, or spent (feature D8)."""

from doorward.gateway.access import AskFirst, Challenge, Forward, Verdict
from doorward.gateway.answers import Answer
from doorward.gateway.approvals import answers
from doorward.gateway.approvals.asking import Outcome, Over, Terms, Waits, Wanted, claim, glance, wanted
from doorward.gateway.approvals.state import Passed, first, wrapped
from doorward.gateway.call import Call
from doorward.gateway.offer import Tool
from doorward.gateway.opens_urls import capabilities_of, opens_urls
from doorward.gateway.own_tools import described
from doorward.gateway.sessions import Binding
from doorward.model import Instant
from doorward.protocol import mcp
from doorward.protocol.mcp import Era
from doorward.storage.database import Database


class ApprovalGate:
    """One per gateway."""

    def __init__(self, *, database: Database, binding: Binding, terms: Terms, public_url: str) -> None:
        self._database = database
        self._binding = binding
        self._terms = terms
        self._public_url = public_url

    async def claim(self, call: Call, verdict: AskFirst, now: Instant) -> Answer | None:
        """Spend the approval of ``call`` and return None, or return what its client is told instead.

        ``call.resumed`` is what the call brought back. Raises ``StorageUnavailable``, with nothing spent.
        """
        ask = verdict.ask
        asked = wanted(call.view.principal, call.server, ask, _tool(call, ask), verdict.approvers)
        outcome = await self._outcome(call, asked, now)
        if isinstance(outcome, Passed):
            call.passed, call.approvers, call.approved = outcome, verdict.approvers, asked.tool
            return None
        if isinstance(outcome, Waits) and call.resumed is None and self._opens(call, ask):
            state = first(outcome.approval.id)
            state = wrapped(self._binding, call.view.principal, call.server.id, ask, state)
            return answers.asked(ask, outcome.approval, state, public_url=self._public_url)
        return answers.refused(ask, outcome, public_url=self._public_url, now=now)

    def still(self, call: Call, before: AskFirst, verdict: Verdict) -> Forward | Answer | Challenge:
        """Return what becomes of a call whose approval was spent a moment ago, as ``before`` asked for one."""
        if not isinstance(verdict, AskFirst):
            return verdict
        if verdict.approvers == before.approvers and _tool(call, before.ask) == call.approved:
            return verdict.then
        # The rule, or the tool, is not what it was when somebody looked at it.
        return answers.refused(before.ask, Over(), public_url=self._public_url, now=call.started)

    def _opens(self, call: Call, ask: mcp.CallTool) -> bool:
        if ask.era is Era.MODERN:
            return opens_urls(capabilities_of(ask, call.message["params"]))
        session = call.exchange.one(b"mcp-session-id") or ""
        return self._binding.opens_urls(call.view.principal, call.server.id, session)

    async def _outcome(self, call: Call, asked: Wanted, now: Instant) -> Outcome:
        # A waiting agent that asks again and again writes nothing.
        outcome = await self._database.read(lambda reader: glance(reader, asked, call.resumed, now))
        if outcome is not None:
            return outcome
        cause = call.exchange.cause
        return await self._database.write(lambda tx: claim(tx, asked, call.resumed, self._terms, now=now, cause=cause))


def _tool(call: Call, ask: mcp.CallTool) -> Tool:
    return described(call.view.governed, ask.name)
