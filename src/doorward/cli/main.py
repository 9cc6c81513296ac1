"""The ``doorward`` command. Subcommands are loaded when they are called, so that ``--help`` answers at once."""

import importlib
import sys
from collections.abc import Sequence
from typing import Any, Final

import click
from typing_extensions import override

from doorward.cli.errors import report
from doorward.cli.loading import loading

COMMANDS: Final = {
    "demo": ("doorward.cli.demo:demo", "Try everything: an example MCP server, tenants, people and keys."),
    "init": ("doorward.cli.init:init", "Write a configuration file and make the data directory with its keys."),
    "serve": ("doorward.cli.serve:serve", "Open the door: run the server."),
    "apply": ("doorward.cli.apply:apply", "Make servers, people, tenants and rights what a file says."),
    "connect": ("doorward.cli.connect:connect", "Show how a client is set up, or write it into the client's file."),
    "doctor": ("doorward.cli.doctor:doctor", "Examine an MCP server, ours or not: what would stop which client."),
    "user": ("doorward.cli.user:user", "List people, give them roles, deactivate and delete them."),
    "role": ("doorward.cli.role:role", "Make roles, say what they give, and who has them where."),
    "tenant": ("doorward.cli.tenant:tenant", "Show and change what a tenant says of itself."),
    "service-account": ("doorward.cli.service_account:service_account", "Make accounts for programs."),
    "client": ("doorward.cli.client:client", "List, allow and deny OAuth clients, and replace their secrets."),
    "keys": ("doorward.cli.keys:keys", "Show, follow up and revoke the keys that sign tokens."),
    "connection": ("doorward.cli.connection:connection", "List and end what clients were let into."),
    "trust": ("doorward.cli.trust:trust", "Say which CI jobs and workloads stand for a service account."),
    "attempts": ("doorward.cli.attempts:attempts", "Show how far clients got on their way in, and why one stopped."),
    "usage": ("doorward.cli.usage:usage", "Say how much was called, by whom and how fast."),
    "audit": ("doorward.cli.audit:audit", "Look through what was done and called, and export it."),
    "log": ("doorward.cli.log:log", "Show what is known of one request, by its id."),
    "tools": ("doorward.cli.tools:tools", "List the tools that servers offer; approve, hold and block them."),
    "override": ("doorward.cli.override:override", "Deny tools in one tenant, or make them need more."),
    "approval": ("doorward.cli.approval:approval", "Decide about calls that want an approval before they are made."),
    "explain": ("doorward.cli.explain:explain", "Say why a call is allowed or denied, and what would change it."),
    "servers": ("doorward.cli.servers:servers", "Look at the MCP servers behind the door: how they are now."),
    "upstream": ("doorward.cli.upstream:upstream", "List and forget people's own accounts at MCP servers."),
    "provider": ("doorward.cli.provider:provider", "Look at the systems through which people sign in."),
    "domain": ("doorward.cli.domain:domain", "Prove mail domains of a tenant; have their people use one provider."),
    "secret": ("doorward.cli.secret:secret", "Keep credentials for MCP servers and sign-in providers, sealed."),
    "invitation": ("doorward.cli.invitation:invitation", "Invite people into a tenant by mail."),
    "mail": ("doorward.cli.mail:mail", "See whether mail goes out: send one letter now."),
    "token": ("doorward.cli.token:token", "Make and revoke API keys without a browser."),
}
"""Name to where the command is and its line in the list."""


class Doorward(click.Group):
    """The group of all commands, with our form of errors."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        with loading():
            command: click.Command = getattr(importlib.import_module(module), name)
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])

    @override
    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:
        try:
            super().main(args, *more, **{**extra, "standalone_mode": False})
        except Exception as wrong:  # noqa: BLE001  (the last place that can turn it into one line)
            sys.exit(report(wrong))
        except KeyboardInterrupt:
            sys.exit(130)


@click.group(
    cls=Doorward,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: doorward demo",
)
@click.version_option(package_name="doorward", message="doorward %(version)s")
def main() -> None:
    """The front door of MCP servers: OAuth, API keys and live permissions in one program."""


if __name__ == "__main__":
    main(prog_name="doorward")
