"""``doorward override``: what a tenant says beyond the rules of its servers, one by one (feature D4)."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from doorward.accounts.actors import Actor
from doorward.cli.errors import CommandFailed
from doorward.cli.named import tenant_of
from doorward.cli.options import about, deployment, settings_of, with_core
from doorward.model import Override, RuleKind, SubjectKind, Tenant
from doorward.provisioning import own_overrides
from doorward.provisioning.own_servers import ServerRefused
from doorward.storage import accounts, overrides, servers

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.storage.database import Reader, Transaction

_ACTOR = Actor(user_id=None, by="doorward override", cause=None)
_SUBJECTS = tuple(kind.value for kind in SubjectKind if kind is not SubjectKind.EVERYBODY)
_MEMBERS = {RuleKind.TOOL: "tools", RuleKind.PROMPT: "prompts", RuleKind.RESOURCE: "resources"}


@click.group(epilog="Example: doorward override list acme")
def override() -> None:
    """Say what a tenant denies, or makes to need more, beyond the rules of its servers. In force on the next call."""


@override.command(name="list", epilog="Example: doorward override list acme")
@click.argument("tenant", metavar="TENANT")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@deployment
def list_overrides(*, tenant: str, as_json: bool, config: Path | None, data: Path | None) -> None:
    """Show the overrides of TENANT in their order; all that fit a call hold together."""

    async def use(core: "Core") -> list[dict[str, Any]]:
        return await core.database.read_long(lambda reader: _listed(reader, tenant_of(reader, tenant)))

    rows = with_core(settings_of(config, data), use)
    if as_json:
        print(json.dumps({"overrides": rows}))
        return
    for row in rows:
        print(f"{row['id']}  {row['server']}  {row['says']}")


@override.command(epilog="Example: doorward override add acme harbour 'delete_*' --deny --role editor")
@click.argument("tenant", metavar="TENANT")
@click.argument("server", metavar="SERVER")
@click.argument("match", metavar="PATTERN")
@click.option(
    "--kind", type=click.Choice([each.value for each in _MEMBERS]), default="tool", help="What PATTERN names; a tool."
)
@click.option("--deny", is_flag=True, help="Nobody may.")
@click.option("--require", multiple=True, metavar="PERMISSION", help="It needs this too. May be given several times.")
@click.option("--approval", metavar="WHO", help="Each call is approved first: by self, or who has the permission WHO.")
@click.option("--by-another", is_flag=True, help="With --approval: never by the person whose call it is.")
@click.option("--role", help="Only for whoever has this role.")
@click.option("--user", metavar="EMAIL", help="Only for this member.")
@click.option("--key", metavar="ID", help="Only for this API key.")
@click.option("--connection", metavar="ID", help="Only for this connected app.")
@deployment
def add(  # noqa: PLR0913  (an override has that many sides)
    *, tenant: str, server: str, match: str, kind: str, deny: bool, require: tuple[str, ...], approval: str | None,
    by_another: bool, config: Path | None, data: Path | None, **subjects: str | None,
) -> None:  # fmt: skip
    """Add an override for PATTERN at SERVER: one of --deny, --require, --approval. It never allows anything."""
    said: dict[str, Any] = {"server": server, _MEMBERS[RuleKind(kind)]: match}
    if deny:
        said["deny"] = True
    if require:
        said["require"] = list(require)
    if approval is not None:
        said["approval"] = approval if approval == "self" else {"permissions": [approval], "by_another": by_another}
    named = {name: subjects[name] for name in _SUBJECTS if subjects.get(name) is not None}
    if named:
        said["for"] = named

    async def use(core: "Core") -> Override:
        def work(tx: "Transaction") -> Override:
            place = tenant_of(tx, tenant)
            return own_overrides.add(tx, place, said, _ACTOR, entropy=core.entropy, now=core.now())

        return await core.database.write(work)

    added = _done(config, data, use)
    print(f"{added.id}: {own_overrides.in_words(added, subjects.get('user'))}.")


@override.command(epilog="Example: doorward override remove acme ovr_3f…")
@about(tenant="TENANT", override_id="ID")
def remove(*, tenant: str, override_id: str, config: Path | None, data: Path | None) -> None:
    """Take the override ID of TENANT back."""

    async def use(core: "Core") -> Override:
        return await core.database.write(
            lambda tx: own_overrides.remove(tx, tenant_of(tx, tenant), override_id, _ACTOR, now=core.now())
        )

    print(f"Taken back: {own_overrides.in_words(_done(config, data, use))}.")


def _done(config: Path | None, data: Path | None, use: Any) -> Override:
    try:
        done: Override = with_core(settings_of(config, data), use)
    except ServerRefused as refused:
        raise CommandFailed(f"{refused.reason.rstrip('.')}. `doorward override list TENANT` shows them.") from refused
    return done


def _listed(reader: "Reader", tenant: Tenant) -> list[dict[str, Any]]:
    slugs = {server.id: server.slug for server in servers.all_servers(reader)}
    emails = {user.id: user.email for user, _ in accounts.members_of_tenant(reader, tenant.id)}
    return [
        {
            "id": each.id,
            "server": slugs.get(each.server_id, ""),
            "kind": each.kind.value,
            "match": each.match,
            "effect": each.effect.value,
            "subject": each.subject.value,
            "says": own_overrides.in_words(
                each, {str(name): email for name, email in emails.items()}.get(each.subject_id)
            ),
        }
        for each in overrides.overrides_of_tenant(reader, tenant.id)
    ]
