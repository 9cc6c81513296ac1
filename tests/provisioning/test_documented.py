"""The documents that we show to people are documents that we take."""

import re

import pytest
import yaml
from tests.provisioning.deployment import Deployment, parsed_from

from doorward.cli.apply import EXAMPLE
from doorward.provisioning.parse import parse
from doorward.provisioning.reading import read_yaml
from support.tree import ROOT

pytestmark = pytest.mark.anyio


async def test_the_readmes_document_can_be_applied(deployment: Deployment) -> None:
    (shown,) = re.findall(r"```yaml\n(servers:.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    parse(read_yaml(shown))
    done = await deployment.apply(yaml.safe_load(shown))
    assert "tenant acme: member alice@example.com: owner" in done.lines


async def test_the_helps_document_can_be_applied(deployment: Deployment) -> None:
    shown = EXAMPLE.partition("# team.yaml\n")[2].partition("\n\n")[0]
    done = await deployment.apply(yaml.safe_load(shown))
    assert "tenant acme: member ines@acme.example: owner" in done.lines


async def test_the_documents_of_the_page_on_machines_can_be_applied(deployment: Deployment) -> None:
    server = {
        "slug": "wiki",
        "upstream": "http://127.0.0.1:9/mcp",
        "tools": [{"match": "*", "requires": ["documents:read"]}],
    }
    page = (ROOT / "docs/machines.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    shown = yaml.safe_load(first) | {"servers": [server]}
    shown["tenants"][0]["clients"] += yaml.safe_load(second)["clients"]
    done = await deployment.apply(shown)
    assert [issued.client_id for issued in done.issued] == ["job", "wiki-server"]


async def test_the_demonstrations_set_up_is_a_document() -> None:
    shown = yaml.safe_load((ROOT / "src/doorward/demo/setup.yaml").read_text(encoding="utf-8"))
    shown["servers"][0]["upstream"] = "http://127.0.0.1:9/mcp"
    document = parsed_from(shown)
    assert [tenant.slug for tenant in document.tenants] == ["acme", "globex"]
