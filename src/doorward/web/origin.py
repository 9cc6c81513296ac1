"""Did a page of ours send this form? Cross-site request forgery, login forgery included (cases H3, M5)."""

from starlette.requests import Request

from doorward.protocol import faults
from doorward.web.refused import Refused


class ForbiddenOrigin(Refused):
    """The request comes from another site, or does not say where it comes from."""

    def __init__(self, reason: str) -> None:
        super().__init__(faults.CROSS_SITE, status=403, reason=reason)


def require_same_origin(request: Request, public_url: str) -> None:
    """Raise ``ForbiddenOrigin`` unless the browser says that a page of ours sent this request.

    ``Sec-Fetch-Site`` decides: every current browser sends it to https and to loopback, which is all that ``public_url``
    may be (decision 0077.5), and no script can set it. ``Origin`` decides only without it: under our Referrer-Policy browsers
    send ``Origin: null`` with an ordinary form (Fetch section 3.2). Saying neither is refused.
    """
    sites, origins = request.headers.getlist("sec-fetch-site"), request.headers.getlist("origin")
    if sites:
        if sites != ["same-origin"]:
            raise ForbiddenOrigin(f"Sec-Fetch-Site {sites[0][:20]!r}")
    elif origins != [public_url]:
        raise ForbiddenOrigin(f"Origin {origins[0][:200]!r}" if origins else "neither Sec-Fetch-Site nor Origin")
