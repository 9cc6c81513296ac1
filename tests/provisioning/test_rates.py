"""A tenant's own rate limits in a document (feature D9)."""

import re
from typing import Any

import pytest
import yaml
from tests.provisioning.deployment import Deployment

from doorward.model import Rates
from doorward.provisioning.reading import DocumentError
from doorward.storage import accounts
from support.tree import ROOT

pytestmark = pytest.mark.anyio


def acme(rates: Any) -> dict[str, Any]:
    return {
        "users": [{"email": "ines@acme.example", "name": "Ines"}],
        "tenants": [{"slug": "acme", "members": [{"user": "ines@acme.example", "roles": ["owner"]}], "rates": rates}],
    }


async def stored(deployment: Deployment) -> Rates:
    tenant = await deployment.database.read(lambda reader: accounts.tenant_by_slug(reader, "acme"))
    assert tenant is not None
    return tenant.rates


async def test_a_tenant_has_numbers_of_its_own_as_a_whole(deployment: Deployment) -> None:
    await deployment.apply(acme({"user_per_minute": 60, "tool_per_day": 0}))
    assert await stored(deployment) == Rates(user_per_minute=60, tool_per_day=0)
    assert (await deployment.apply(acme({"user_per_minute": 60, "tool_per_day": 0}))).lines == []
    done = await deployment.apply(acme({"tenant_per_day": 9}))
    assert done.lines == ["tenant acme: rate limits"]
    assert await stored(deployment) == Rates(tenant_per_day=9)
    await deployment.apply({"tenants": [{"slug": "acme", "name": "Acme Ltd"}]})
    assert await stored(deployment) == Rates(tenant_per_day=9)


@pytest.mark.parametrize(
    "wrong", [{"user_per_hour": 1}, {"user_per_day": -1}, {"user_per_day": True}, {"user_per_day": "1"}, 5]
)
async def test_what_is_no_limit_is_refused_with_its_place(deployment: Deployment, wrong: Any) -> None:
    with pytest.raises(DocumentError, match=re.escape("tenants[0].rates")):
        await deployment.apply(acme(wrong))


async def test_the_page_shows_what_can_be_applied(deployment: Deployment) -> None:
    await deployment.apply(acme({}))
    (shown,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/limits.md").read_text(encoding="utf-8"), re.DOTALL)
    await deployment.apply(yaml.safe_load(shown))
    assert await stored(deployment) == Rates(user_per_minute=120, tool_per_day=500)
