"""``doorward connect``: how a client is set up, with the URL filled in; with ``--write``, its file is changed (A5)."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from doorward.cli import config_file
from doorward.cli.errors import CommandFailed
from doorward.cli.named import tenant_of
from doorward.cli.options import deployment, settings_of, with_core
from doorward.clients import filling, guides, json_edit, places, toml_edit
from doorward.clients.filling import Values
from doorward.clients.guides import Config, Guide, Way
from doorward.model import Tenant
from doorward.protocol.endpoints import Endpoint
from doorward.storage import accounts

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core
    from doorward.storage.database import Reader

_PLATFORMS: Final = {"darwin": "macos", "win32": "windows"}
_FILE: Final = click.Path(dir_okay=False, path_type=Path)
EXAMPLE: Final = """\b
Example:
  doorward connect                                          the clients that are known
  doorward connect claude-code --tenant acme                beside the server
  doorward connect cursor --url https://mcp.acme.example/acme/mcp --write   anywhere"""


@click.command(epilog=EXAMPLE)
@click.argument("client", required=False)
@click.option("--url", help="URL of the MCP server, where this is not the machine of the deployment.")
@click.option("--tenant", help="Slug of the tenant. Needed where there are several.")
@click.option("--server", help="Slug of the server. Default: the tenant's first.")
@click.option("--name", help="What the server is called in the client. Default: its slug.")
@click.option("--key", "by_key", is_flag=True, help="Set up with an API key instead of signing in.")
@click.option(
    "--key-env", help=f"Environment variable that holds the key. Default: {filling.DEFAULT_ENV}. Means --key."
)
@click.option("--key-file", type=_FILE, help="File with the key, for clients that keep it in theirs. Needs --write.")
@click.option("--write", is_flag=True, help="Change the client's configuration file, and keep a copy of what it was.")
@click.option("--project", is_flag=True, help="Write the file of the project here instead of your own.")
@click.option("--file", "target", type=_FILE, help="Write this file.")
@deployment
def connect(  # noqa: PLR0913  (one parameter for each option)
    *, client: str | None, url: str | None, tenant: str | None, server: str | None, name: str | None, by_key: bool,
    key_env: str | None, key_file: Path | None, write: bool, project: bool, target: Path | None, config: Path | None,
    data: Path | None,
) -> None:  # fmt: skip
    """Show how to set CLIENT up, or write it into its configuration file. Without CLIENT: list the clients."""
    if client is None:
        _list()
        return
    guide = guides.guides().get(client)
    if guide is None:
        raise CommandFailed(f"there is no client {client[:80]!r}. Known here: {', '.join(guides.guides())}.")
    way: Way = "key" if by_key or key_env is not None or key_file is not None else "oauth"
    if way in guide.cannot:
        raise CommandFailed(f"{guide.cannot[way]}{'' if by_key else ' Add --key.'}")
    if key_file is not None and not write:
        raise CommandFailed("--key-file is only read to be written: add --write. What is printed never holds a key.")
    if url is None:
        found = _found(config, data, tenant, server)
        url, name = found.url, name or found.server.slug
    values = _values(url, name or "doorward", key_env or filling.DEFAULT_ENV)
    if not write:
        _print(guide, way, values)
        return
    if guide.config is None:
        raise CommandFailed(f"{guide.name} has no configuration file. Leave --write out to see what to do.")
    path = target or _path(guide, guide.config, project=project)
    _write(guide, guide.config, way, values, path, key_file)


def _list() -> None:
    width = max(map(len, guides.guides()))
    for guide in guides.guides().values():
        ways = " or ".join({"oauth": "sign-in", "key": "key"}[way] for way in guides.WAYS if way in guide.steps)
        also = f" ({guide.also})" if guide.also else ""
        print(f"{guide.id:<{width}}  {guide.name}{also}: {ways}; {guide.compared['set_up_in'].lower()}")


def _found(config: Path | None, data: Path | None, tenant: str | None, server: str | None) -> Endpoint:
    """Return the endpoint that is meant in the deployment."""
    settings = settings_of(config, data)

    async def use(core: "Core") -> Endpoint:
        return await core.database.read_long(lambda reader: _endpoint(reader, settings.public_url, tenant, server))

    return with_core(settings, use)


def _endpoint(reader: "Reader", public_url: str, slug: str | None, server: str | None) -> Endpoint:
    tenant = _tenant(reader, slug)
    endpoints = places.endpoints_of(reader, tenant, public_url)
    found = next((each for each in endpoints if server in {None, each.server.slug}), None)
    if found is None:
        known = ", ".join(each.server.slug for each in endpoints) or "none"
        raise CommandFailed(f"{tenant.slug} has no such server. It has: {known}.")
    return found


def _tenant(reader: "Reader", slug: str | None) -> Tenant:
    if slug is not None:
        return tenant_of(reader, slug)
    known = accounts.all_tenants(reader)
    if len(known) != 1:
        slugs = ", ".join(each.slug for each in known) or "none"
        raise CommandFailed(f"which tenant? Name it with --tenant, or the URL with --url. Known here: {slugs}.")
    return known[0]


def _values(url: str, name: str, env: str) -> Values:
    try:
        return Values(url=url, name=name, env=env)
    except ValueError as wrong:
        raise CommandFailed(
            f"{wrong}. Write an http(s) URL, a name like acme-wiki, a variable like ACME_KEY."
        ) from wrong


def _print(guide: Guide, way: Way, values: Values) -> None:
    print(f"{guide.name}: {values.url}\n")
    link = filling.link(guide, values)
    if link is not None and way == "oauth":
        print(f"{guide.link.label if guide.link else ''}: {link}\n")
    for number, step in enumerate(filling.steps(guide, way, values), 1):
        print(f"{number}. {step.title}")
        if step.text:
            print(f"   {step.text}")
        if step.snippet is not None:
            print("\n" + "\n".join(f"     {line}".rstrip() for line in step.snippet.text.split("\n")) + "\n")
    print(f"To see that it works: {filling.text(guides.check_prompt(), values)}")


def _path(guide: Guide, config: Config, *, project: bool) -> Path:
    """Return the file to write: the person's own where the client has one that is for people to change."""
    own = config.files.get(_PLATFORMS.get(sys.platform, "linux"))
    if own is not None and not project:
        return Path(own).expanduser()
    if config.project is None or (own is None and config.files and not project):
        raise CommandFailed(f"{guide.name} opens its file from its own settings. Name it with --file, or do it there.")
    return Path(config.project)


def _write(guide: Guide, config: Config, way: Way, values: Values, path: Path, key_file: Path | None) -> None:
    secret = filling.holds_key(config, way)
    if secret:
        if key_file is None:
            raise CommandFailed(f"{guide.name} keeps the key in its file. Name the file that holds it with --key-file.")
        values = _with_key(values, key_file)
    elif key_file is not None:
        raise CommandFailed(
            f"{guide.name} reads the key from elsewhere: leave --key-file out, and see it without --write."
        )
    try:
        written = config_file.change(
            path, lambda text: edited(text, config, way, values), secret=secret, stamp=_stamp()
        )
    except json_edit.CannotEdit as wrong:
        raise CommandFailed(f"{path}: {wrong}. Nothing was changed; add the entry by hand.") from wrong
    print(f"{values.name} stands in {path} already." if not written.changed else f"{values.name} is in {path}.")
    if written.backup is not None:
        print(f"What it was: {written.backup}")
    if way == "key" and not secret:
        print(
            f"Set {values.env} where {guide.name} is started."
            if not config.beside
            else f"{guide.name} asks for the key."
        )


def edited(text: str, config: Config, way: Way, values: Values) -> str:
    """Return the client's file with the server in it; what else its entry says is kept. Raises ``CannotEdit``."""
    edit = toml_edit if config.format == "toml" else json_edit
    entry, there = filling.entry(config, way, values), edit.read(text).get(config.at, {})
    old = there.get(values.name, {}) if isinstance(there, dict) else {}
    ours = {member for each in config.entries.values() for member in each}
    kept = {member: value for member, value in old.items() if member not in ours} if isinstance(old, dict) else {}
    text = edit.put(text, (config.at, values.name), {**entry, **kept})
    for name, element in filling.beside(config, way, values).items():
        text = json_edit.add(text, name, element)
    return text


def _with_key(values: Values, key_file: Path) -> Values:
    try:
        return replace(values, key=key_file.read_text(encoding="ascii").strip())
    except (UnicodeDecodeError, ValueError) as wrong:
        raise CommandFailed(f"{key_file}: no key. Put the key alone into it.") from wrong


def _stamp() -> str:
    from doorward.bootstrap.core import clock  # noqa: PLC0415  (what is slow to load, only where something is written)
    from doorward.web.words import iso  # noqa: PLC0415

    return iso(clock()).replace("-", "").replace(":", "")
