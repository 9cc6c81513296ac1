"""A page: a template, its context, and the headers that every HTML answer carries (cases M7, M8)."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from doorward.web import words
from doorward.web.static_files import StaticFiles

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)
_STAYS: Final = "; form-action 'self'"
_HEADERS: Final = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Pages:
    """Renders templates. ``packages`` are those that bring a ``templates`` directory besides this one's.

    Template names are unique over all packages. Every template knows ``static(name)``, ``public_host`` and the filters
    of ``words``.
    """

    def __init__(self, *, public_url: str, static: StaticFiles, packages: Sequence[str] = ()) -> None:
        loaders = [PackageLoader(package) for package in ("doorward.web", *packages)]
        self._environment = Environment(
            loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True, auto_reload=False,
        )  # fmt: skip
        self._environment.globals |= {"static": static.url, "public_host": urlsplit(public_url).netloc}
        for name in ("iso", "moment", "day", "day_month", "hour", "initials", "cut", "device", "ago", "after"):
            self._environment.filters[name] = getattr(words, name)

    def render(self, template: str, *, status: int = 200, may_leave: bool = False, **context: Any) -> Response:
        """Return the page ``template`` filled with ``context`` (``request_id`` shows in the foot of gate pages).

        ``may_leave``: a form of this page can end at a client, so that ``form-action`` is omitted (decision 0077.4: Chromium
        applies it to the whole chain of redirects), and an opener keeps its window (a client may have opened a popup).
        """
        body = self._environment.get_template(template).render(**context)
        policy = _POLICY if may_leave else _POLICY + _STAYS
        headers = _HEADERS | {"Content-Security-Policy": policy}
        if not may_leave:
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return Response(body, status_code=status, media_type="text/html", headers=headers)
