"""``doorward demo``: everything at once, to try. What is slow to load is loaded after Harbour was started."""

import contextlib
import json
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.options import stdio_command
from doorward.demo.child import HarbourEnded, HarbourProcess
from doorward.demo.memory import NotOurs, recall

EXAMPLE: Final = """\b
Example:
  doorward demo                                   everything is gone when it ends
  doorward demo --data ./demo                     kept, with the same passwords and keys
  doorward demo --upstream http://127.0.0.1:9000/mcp   with an MCP server of your own
  doorward demo --stdio "npx -y some-mcp-server"       with one that is a command"""


@click.command(epilog=EXAMPLE)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port; 0 takes a free one."
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory to keep and use again. Default: a temporary one, removed at the end.",
)
@click.option("--upstream", help="URL of another MCP server to put behind the door instead of the bundled one.")
@click.option("--stdio", help="Command of an MCP server to put behind the door; each caller gets a process.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object when ready, and nothing else.")
def demo(*, port: int, data: Path | None, upstream: str | None, stdio: str | None, as_json: bool) -> None:
    """Try everything: an example MCP server behind the door, two tenants, seven people, keys to paste."""
    if upstream is not None and stdio is not None:
        raise CommandFailed("--upstream and --stdio: only one server can be behind the door. Take one of the two.")
    product = None if stdio is None else stdio_command(stdio)
    if upstream is not None:
        _check_upstream(upstream)
        product = {"upstream": upstream}
    elif product is None and find_spec("mcp") is None:
        raise CommandFailed(
            "the example MCP server needs the package mcp. Run `pip install 'mcp>=2.3,<3'`, or name your own server"
            " with --upstream."
        )
    # Until the server handles signals itself: end as by Ctrl-C, so that nothing is left behind.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _run(port, data, product, _say_json if as_json else _say)
    except NotOurs as wrong:
        raise CommandFailed(str(wrong)) from wrong
    except HarbourEnded as ended:
        raise CommandFailed(f"Harbour, the example MCP server, ended ({ended}). See its message above.") from ended
    except KeyboardInterrupt:
        # Before the server took the signals over: nothing is half done that the next start would not mend.
        return


def _run(port: int, data: Path | None, product: dict[str, Any] | None, say: Callable[[dict[str, Any]], None]) -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(_listen(port)))
        directory = stack.enter_context(_directory(data))
        memory = recall(directory)
        harbour = None
        if product is None:
            public_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            harbour = HarbourProcess(data=_made(directory / "harbour"), public_url=public_url)
            stack.callback(harbour.end)
        from doorward.demo.run import run  # noqa: PLC0415  (loads while Harbour does)

        run(listener, data=directory, memory=memory, harbour=harbour, product=product, say=say)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=2048)
    except OSError as taken:
        raise CommandFailed(f"port {port}: {taken.strerror}. Choose another with --port.") from taken


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _directory(data: Path | None) -> Iterator[Path]:
    if data is not None:
        yield _made(data.resolve())
        return
    temporary = Path(tempfile.mkdtemp(prefix="doorward-demo-"))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return directory


def _check_upstream(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CommandFailed("--upstream: not an http(s) URL. Write it like http://127.0.0.1:9000/mcp.")


def _say_json(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _say(said: dict[str, Any]) -> None:
    from doorward.demo.announce import page  # noqa: PLC0415

    sys.stdout.write(page(said))
    sys.stdout.flush()
