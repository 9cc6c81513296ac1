"""``/api/v1/tenants/{slug}/domains``: the mail domains of a tenant, their proof, and what holds for their people (E1).

By the use cases of ``doorward domain``. Nobody answers for a domain by hand here: that is the deployment's to do.
"""

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from doorward.accounts import domains
from doorward.accounts.domains import DomainRefused, DomainUnknown
from doorward.api.call import Call, Page, Parts
from doorward.api.common import MAYBE_SAID, MAYBE_TIME, NAME, PEOPLE
from doorward.api.problems import Problem, unknown
from doorward.api.route import TENANT, ApiRoute
from doorward.api.shapes import Maybe, Members, Said, answered
from doorward.model import MailDomain
from doorward.protocol import faults
from doorward.rights import MANAGE_MEMBERS
from doorward.storage import accounts, mail_domains
from doorward.storage.database import Reader

PATH: Final = f"{TENANT}/domains"
ONE: Final = f"{PATH}/{{domain}}"
_SSO: Final = Maybe(NAME, says="The provider through which everybody of the domain signs in.")
_JOIN: Final = Maybe(NAME, says="The role with which whoever comes through it becomes a member.")
DOMAIN: Final = answered(
    domain=Said(names="domain"), sso=MAYBE_SAID, join=MAYBE_SAID, proven_at=MAYBE_TIME, proven_by=MAYBE_SAID,
    record=answered("What proves it, in DNS.", name=Said(), type=Said(), value=Said()),
)  # fmt: skip


def _list(call: Call) -> Page[dict[str, Any]]:
    found = mail_domains.domains_of_tenant(call.tx, call.tenant.id)
    return call.page_of_all(found, lambda each: (each.domain,)).told(partial(domains.described, call.tx))


def _say(call: Call) -> dict[str, Any]:
    said = call.body
    stored = domains.say(
        call.tx, call.actor(), call.tenant, said["domain"], provider=said["sso"], join_role=said["join"], now=call.now,
        entropy=call.parts.entropy,
    )  # fmt: skip
    return domains.described(call.tx, stored)


def _verify(call: Call) -> dict[str, Any]:
    stored = domains.stored_domain(call.tx, call.tenant, call.path["domain"])
    domains.prove_by(call.tx, call.actor(), stored, call.prepared, now=call.now)
    return domains.described(call.tx, domains.stored_domain(call.tx, call.tenant, stored.domain))


def _remove(call: Call) -> dict[str, Any]:
    domains.remove(call.tx, call.actor(), call.tenant, call.path["domain"], now=call.now)
    return {"domain": call.path["domain"]}


async def _looked_up(parts: Parts, path: Mapping[str, str], _body: Any) -> list[str]:
    """Return the texts of the record of a domain that the tenant has said is its own: no other name is asked for."""

    def stored(reader: Reader) -> MailDomain | None:
        tenant = accounts.tenant_by_slug(reader, path["slug"])
        return None if tenant is None else mail_domains.domain_of_tenant(reader, tenant.id, path["domain"])

    found = await parts.database.read(stored)
    return [] if found is None else await domains.texts_of(parts.lookup, found)


def _refused(refused: DomainRefused) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(refused), fault=faults.REQUEST_INVALID)


_route = partial(
    ApiRoute, needs=MANAGE_MEMBERS,
    refusals={DomainUnknown: lambda _: unknown("There is no such domain."), DomainRefused: _refused, **PEOPLE},
    limited="A key that is limited to a part of the tree cannot look after the tenant's domains.",
)  # fmt: skip
ROUTES: Final = (
    _route(
        method="GET", path=PATH, name="domains.list", use=_list, answer=DOMAIN, pages="domains",
        says="The tenant's mail domains, how each was proven, and what holds for its people.",
    ),
    _route(
        method="POST", path=PATH, name="domains.say", use=_say, answer=DOMAIN,
        says="Say that a mail domain is the tenant's, or change what holds for its people; no effect before it is proven.",
        body=Members({"domain": NAME, "sso": _SSO, "join": _JOIN}, needs=("domain", "sso", "join")),
    ),
    _route(
        method="POST", path=f"{ONE}/verify", name="domains.verify", use=_verify, answer=DOMAIN, prepare=_looked_up,
        says="Look for the domain's record in DNS, and have it proven.",
    ),
    _route(
        method="DELETE", path=ONE, name="domains.remove", use=_remove, answer=answered(domain=Said()),
        says="Give a domain up: what held for its people holds no more.",
    ),
)  # fmt: skip
