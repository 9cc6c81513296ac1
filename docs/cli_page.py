"""The page of docs/ about the command line, from the commands themselves."""

from collections.abc import Iterator

import click

from doorward.cli.main import COMMANDS, main

WIDTH = 100


def cli_page(note: str) -> str:
    """Return the page: each command with its help, as `--help` prints it on a screen of ``WIDTH`` columns."""
    says = (
        "`doorward COMMAND --help` prints the same. Every command but `demo`, `doctor` and `connect` works on the data"
        " directory, also beside a running server: name it with `--config FILE` or `--data DIR`.\n"
    )
    head = [
        "| command | |",
        "|---|---|",
        *(f"| [`{name}`](#doorward-{name}) | {words} |" for name, (_, words) in COMMANDS.items()),
    ]
    parent = click.Context(main, info_name="doorward")
    sections = [text for name in COMMANDS for text in _sections(name, parent, 2)]
    return "\n".join(["# Command line\n", note, says, *head, "", *sections])


def _sections(name: str, parent: click.Context, level: int) -> Iterator[str]:
    command = _command(parent, name)
    here = click.Context(
        command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )  # fmt: skip
    yield f"{'#' * level} {here.command_path}\n\n```text\n{command.get_help(here)}\n```\n"
    if isinstance(command, click.Group):
        for each in command.list_commands(here):
            yield from _sections(each, here, level + 1)


def _command(parent: click.Context, name: str) -> click.Command:
    group = parent.command
    command = group.get_command(parent, name) if isinstance(group, click.Group) else None
    if command is None:
        raise LookupError(name)
    return command
