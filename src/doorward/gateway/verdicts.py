"""Decisions that do not depend on a call's arguments, kept with the caller they are about (decision 0069).

The decider is a pure function. What it was asked with is here what the answer is kept by: the caller, who is made anew
whenever anything of its tenant or of the deployment changes; the server with its offer; the tree; the tool. The moment
counts only for the end of the credential, which is compared at every call. A list is kept by its kind: it goes through
as such, and what it shows is narrowed each time.
"""

from typing import NamedTuple

from doorward.gateway.access import Forward, Verdict, View, judge
from doorward.gateway.live import Caller
from doorward.gateway.offer import Governed
from doorward.policy.rules import ResourceTree
from doorward.protocol import mcp

MAX_KEPT = 256
"""Tools of one caller; an agent uses a few."""


class Kept(NamedTuple):
    """A call or a list that goes through whatever its arguments are, and what that was decided by."""

    governed: Governed
    tree: ResourceTree
    verdict: Forward


def verdict_on(ask: mcp.Ask, caller: Caller, view: View) -> Verdict:
    """Return ``judge(ask, view)``; ``view`` is ``caller``'s."""
    about = ask.name if type(ask) is mcp.CallTool else type(ask) if isinstance(ask, mcp.Listing) else None
    if about is None or view.principal is not caller.principal:
        return judge(ask, view)
    key = view.governed.server.id, about
    kept: Kept | None = caller.verdicts.get(key)
    ends = view.principal.expires_at
    if (
        kept is not None
        and kept.governed is view.governed
        and kept.tree is view.tree
        and (ends is None or ends > view.now)
    ):
        return kept.verdict
    verdict = judge(ask, view)
    # Only what is allowed: a refusal's answer carries the request's own id.
    if type(verdict) is Forward and _whatever_it_says(ask, view):
        if len(caller.verdicts) >= MAX_KEPT:
            caller.verdicts.clear()
        caller.verdicts[key] = Kept(view.governed, view.tree, verdict)
    return verdict


def _whatever_it_says(ask: mcp.Ask, view: View) -> bool:
    """Say whether nothing else of a message was looked at than what its verdict is kept by."""
    if type(ask) is not mcp.CallTool:
        return True
    rule = view.governed.tool(ask.name)
    return rule is not None and not rule.resources
