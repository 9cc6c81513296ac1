"""Harbour as a child process: started first, so that its imports overlap with our own start. Standard library only.

We open its socket ourselves: its URL is known at once, and what connects early waits in the backlog. It ends when its
standard input does, that is with us, however we end.
"""

import contextlib
import json
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Final

END_SECONDS: Final = 5


class HarbourEnded(Exception):  # noqa: N818  (a fact)
    """Harbour ended by itself; it said why on standard error."""


class HarbourProcess:
    """A Harbour that keeps its data in ``data`` and knows Doorward by ``public_url``."""

    def __init__(self, *, data: Path, public_url: str) -> None:
        self.push_key_file = data / "push-keys.json"
        self.pushed: Future[int] = Future()
        """How many nodes it told Doorward of, once it did."""
        self.ended: Future[int] = Future()
        """Its exit code, once it has one."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
            self._process = subprocess.Popen(  # noqa: S603  (our own module, no text of anybody else)
                [
                    *(sys.executable, "-m", "doorward.demo.harbour", "--fd", str(listener.fileno()), "--with-parent"),
                    *("--data", str(data), "--issuer", public_url),
                    *("--push", public_url, "--push-key-file", str(self.push_key_file)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                # Ctrl-C is for us; Harbour ends with its standard input.
                start_new_session=True,
            )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  (it was asked for as a pipe)
        for line in self._process.stdout:
            said = json.loads(line)
            if "pushed" in said:
                self.pushed.set_result(said["pushed"])
        code = self._process.wait()
        if not self.pushed.done():
            self.pushed.set_exception(HarbourEnded(f"exit code {code}"))
        self.ended.set_result(code)

    def end(self) -> None:
        """End it, and wait until it has."""
        assert self._process.stdin is not None  # noqa: S101
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
