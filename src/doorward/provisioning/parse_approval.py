"""An ``approval`` of a rule or an override: who has to approve each call before it is made (feature D8)."""

from typing import Final

from doorward.model import Approvers, RuleKind
from doorward.provisioning.reading import Place
from doorward.provisioning.values import flag, permissions

SELF: Final = "self"
"""The caller's own person."""
_HOW: Final = "Write self, or {permissions: [approvals:decide]} with by_another: true where nobody approves their own"


def parse_approval(place: Place | None, kind: RuleKind) -> Approvers | None:
    """Return who has to approve; None where it is not there. Raises ``DocumentError``."""
    if place is None:
        return None
    if kind is not RuleKind.TOOL:
        place.refuse("only calls of tools can be approved", "Take it out")
    if isinstance(place.value, str):
        if place.value != SELF:
            place.refuse("not known who approves", _HOW)
        return Approvers()
    table = place.table("permissions", "by_another")
    found = permissions(table.get("permissions"))
    if not found:
        place.refuse("no permission", _HOW)
    return Approvers(permissions=found, by_another=flag(table.get("by_another")) or False)
