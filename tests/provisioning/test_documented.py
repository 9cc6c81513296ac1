"""The documents that we show to people are documents that we take."""

import re
from typing import Any

import pytest
import yaml
from tests.provisioning.deployment import Deployment, parsed_from

from doorward.cli.apply import EXAMPLE
from doorward.provisioning.parse import parse
from doorward.provisioning.reading import DocumentError
from doorward.provisioning.reading_yaml import read_yaml
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


async def test_the_page_on_workloads_holds_documents_and_snippets_that_work(deployment: Deployment) -> None:
    page = (ROOT / "docs/workload-identity.md").read_text(encoding="utf-8")
    rules, *snippets = (yaml.safe_load(shown) for shown in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    declared = rules | {"permissions": ["documents:read"]}
    done = await deployment.apply(declared)
    added = [line for line in done.lines if "trust rule" in line]
    assert added == [f"tenant acme: trust rule “{rule['name']}”: add" for rule in rules["tenants"][0]["trust"]]
    assert await deployment.plan(declared) == []
    github, gitlab, pod = snippets
    assert github["permissions"]["id-token"] == "write"
    assert "urn:ietf:params:oauth:grant-type:jwt-bearer" in github["jobs"]["deploy"]["steps"][0]["run"]
    assert "$DOORWARD_TOKEN" in gitlab["deploy"]["script"][0]
    source = pod["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]
    assert source["expirationSeconds"] == 600


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "http://x.example"}, {"claims": ["a"]}, {"claims": {"ref": "main"}}, {"claims": {"repository": 1}},
        {"lifetime": "900"}, {"lifetime": 3600}, {"service_account": "x"}, {"service_account": "alice@acme.example"},
        {"servers": ["nothing"]}, {"resources": [{"type": "space", "key": "none"}]}, {"unknown": 1}, {"scopes": ["*"]},
    ],
    ids=str,
)  # fmt: skip
async def test_a_trust_rule_that_cannot_be_right_is_named(deployment: Deployment, changed: dict[str, Any]) -> None:
    rule = {
        "name": "R",
        "issuer": "https://i.example",
        "claims": {"repository": "a/b"},
        "service_account": "ci@acme.example",
    }
    tenant = {"slug": "acme", "members": [{"user": "ci@acme.example", "roles": ["viewer"]}], "trust": [rule | changed]}
    users = [{"email": "ci@acme.example", "kind": "service"}, {"email": "alice@acme.example"}]
    with pytest.raises(DocumentError, match=r"^tenants\[0\]\.trust\[0\]"):
        await deployment.apply({"users": users, "tenants": [tenant]})
    done = await deployment.apply({
        "users": users,
        "tenants": [tenant | {"resources": [{"type": "space", "key": "one"}], "trust": [rule | {"resources": [{"type": "space", "key": "one"}]}]}],
    })  # fmt: skip
    assert any("trust rule" in line for line in done.lines)
