"""A page request that is refused with a status of its own."""

from collections.abc import Mapping

from doorward.protocol.errors import PageError
from doorward.protocol.faults import Fault


class Refused(PageError):  # noqa: N818  (an answer)
    """Answered as the error page of ``fault`` with ``status`` (4xx or 503) and ``headers``.

    ``link`` is a way on, if the person has one: a path of ours and its words.
    """

    def __init__(
        self,
        fault: Fault,
        *,
        status: int,
        reason: str,
        public: str | None = None,
        headers: Mapping[str, str] | None = None,
        link: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(fault, reason=reason, public=public)
        self.status = status
        self.headers = dict(headers or {})
        self.link = link


class SignInFirst(Exception):  # noqa: N818  (an answer)
    """Somebody who is nobody yet is sent to the sign-in page, and from there to ``back``, a path of ours."""

    def __init__(self, back: str) -> None:
        super().__init__("sign in first")
        self.back = back
