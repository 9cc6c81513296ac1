"""``doorward apply``: read a file, hash what must be hashed, plan or make the changes, print them."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from doorward.cli.options import deployment, settings_of, with_core
from doorward.cli.progress import Progress, quiet_option
from doorward.provisioning.apply import Applied, check_passwords, execute, passwords_in, plan
from doorward.provisioning.change import PasswordChange
from doorward.provisioning.document import Document
from doorward.provisioning.parse import parse
from doorward.provisioning.reading import MAX_CHARACTERS, Place, read_json, refuse
from doorward.provisioning.reading_yaml import read_yaml

if TYPE_CHECKING:
    from doorward.bootstrap.core import Core

EXAMPLE = """\b
Example:
  doorward apply -f team.yaml --plan     say what would change
  doorward apply -f team.yaml            change it, all or nothing

\b
  # team.yaml
  servers:
    - {slug: wiki, upstream: "http://127.0.0.1:9000/mcp", tools: [{match: "get_*", requires: ["pages:read"]}]}
  users:
    - {email: ines@acme.example, name: Ines, password: choose a long one}
  tenants:
    - {slug: acme, name: Acme, servers: [wiki], members: [{user: ines@acme.example, roles: [owner]}]}

What the file does not name stays as it is. A list of plain values replaces the stored one: "roles: []" takes a
member's roles away at the next call."""


@click.command(epilog=EXAMPLE)
@click.option(
    "-f",
    "--file",
    "source",
    required=True,
    type=click.Path(path_type=Path),
    help="YAML or JSON file; - is standard input.",
)
@click.option("--plan", "dry_run", is_flag=True, help="Only say what would change.")
@quiet_option
@deployment
def apply(source: Path, *, dry_run: bool, quiet: bool, config: Path | None, data: Path | None) -> None:
    """Make servers, permissions, people and tenants what FILE says. Repeating it changes nothing."""
    settings = settings_of(config, data)
    document, progress = read_document(source), Progress(quiet=quiet)
    if dry_run:
        lines = with_core(settings, lambda core: _plan(core, document, progress))
        _print(lines, "Would change")
        return
    applied = with_core(settings, lambda core: _execute(core, document, progress))
    _print(applied.lines, "Changed")
    for issued in applied.issued:
        print(f"Client {issued.client_id} “{issued.name}” has this secret, shown only now: {issued.secret}")


def read_document(source: Path) -> Document:
    """Return the document in a file or on standard input. Raises ``DocumentError`` or ``OSError``."""
    return parse(_read(source))


def _read(source: Path) -> Place:
    stream = sys.stdin.buffer if str(source) == "-" else source.open("rb")
    with stream:
        raw = stream.read(4 * MAX_CHARACTERS + 1)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        refuse("", "not UTF-8", "Save the file as UTF-8")
    is_json = source.suffix == ".json" or (source.suffix not in {".yaml", ".yml"} and text.lstrip().startswith("{"))
    return read_json(text) if is_json else read_yaml(text)


async def _plan(core: "Core", document: Document, progress: Progress) -> list[str]:
    passwords = await _passwords(core, document, progress)
    planned = await core.database.read_long(lambda reader: plan(reader, document, passwords))
    return planned.lines


async def _execute(core: "Core", document: Document, progress: Progress) -> Applied:
    passwords = await _passwords(core, document, progress)
    now = core.now()
    return await core.database.write(
        lambda tx: execute(
            tx, document, passwords, now=now, entropy=core.entropy, fingerprinter=core.fingerprinter,
            watched=lambda count: progress.step("Making", count, "change"),
        )
    )  # fmt: skip


async def _passwords(core: "Core", document: Document, progress: Progress) -> Mapping[str, PasswordChange]:
    count = passwords_in(document)
    with progress.step("Checking", count, "password") as advance:
        return await check_passwords(core.database, document, core.passwords, advance)


def _print(lines: list[str], heading: str) -> None:
    if not lines:
        print("Nothing to change.")
        return
    print(f"{heading}:")
    for line in lines:
        print(f"  {line}")
