"""A change of people that is refused: one exception for page, API and command line."""

from typing import Final

from doorward.protocol import faults
from doorward.protocol.errors import PageError
from doorward.protocol.faults import Fault

_STATUS: Final = {
    faults.LAST_OWNER.code: 409,
    faults.NOT_PERMITTED.code: 403,
    faults.BEYOND_OWN_RIGHTS.code: 403,
    faults.ACCOUNT_NOT_YOURS.code: 409,
    faults.MEMBER_UNKNOWN.code: 404,
    faults.MEMBER_INVALID.code: 422,
    faults.ROLE_UNKNOWN.code: 404,
    faults.ROLE_INVALID.code: 422,
    faults.ROLE_IN_USE.code: 409,
    faults.ROLE_BUILT_IN.code: 409,
    faults.TREE_ELSEWHERE.code: 409,
}


class PeopleRefused(PageError):  # noqa: N818  (an answer)
    """Nothing was changed. ``status`` is what HTTP says of it, ``field`` what of a form is at fault, if one is."""

    def __init__(self, fault: Fault, *, reason: str, public: str | None = None, field: str = "") -> None:
        super().__init__(fault, reason=reason, public=public)
        self.field = field
        self.status = _STATUS.get(fault.code, 400)
