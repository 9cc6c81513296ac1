"""A person's computer: a home of its own, a terminal, the clients of vendors, and a browser with somebody at it."""

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from select import select

from support.node import NODE_PROJECT, node
from support.tree import ROOT

VENDORS = NODE_PROJECT / "vendors"
SECONDS = 90
LEAVES = 10
"""Seconds that a program may still take when its terminal has nothing more to show."""
LOOK = 0.5
"""Seconds between two looks at what cannot say that it has come."""
_STEP_RIGHT = re.compile(r"\x1b\[\d*[CG]")
_CONTROLS = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P][^\x07\x1b]*(?:\x07|\x1b\\)|[()].|.)|[\r\x07\x0e\x0f]", re.DOTALL
)
# Nothing beyond loopback: every vendor is reached by https, and there is nobody behind this proxy.
_NOWHERE = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost"}
_VISIT = "import sys; from support.person import Person; Person(*sys.argv[1:3]).open(sys.argv[3])"


class Computer:
    """``home`` is made. ``person`` signs in and approves in the browser: e-mail and password; without one it fails."""

    def __init__(self, home: Path, person: tuple[str, str] = ("", ""), env: Mapping[str, str] | None = None) -> None:
        assert (VENDORS / "node_modules").exists(), "not installed: run `make test`, or tests/clients/vendors/install"
        self.home, self.work, self._opened = home, home / "project", home / "opened"
        self.work.mkdir(parents=True)
        browser = home / "browser"
        visit = shlex.join([sys.executable, "-c", _VISIT, *person])
        browser.write_text(
            f'#!/bin/sh\necho "$1" >> {self._opened}\n'
            f'PYTHONPATH={ROOT}/src:{ROOT}/tests {visit} "$1" >> {self._opened}.log 2>&1 &\n',
            encoding="utf-8",
        )
        browser.chmod(0o700)
        commands = [VENDORS / "node_modules/.bin", Path(node()).parent]
        self.env = {
            "HOME": str(home), "PATH": ":".join([*map(str, commands), "/usr/bin", "/bin"]), "LANG": "C.UTF-8",
            "TERM": "xterm-256color", "BROWSER": str(browser), **_NOWHERE, **(env or {}),
        }  # fmt: skip

    def opened(self) -> list[str]:
        """Return the addresses that the browser was sent to."""
        return self._opened.read_text(encoding="utf-8").split() if self._opened.exists() else []

    def write(self, path: str, text: str) -> Path:
        """Write a file; ``~`` is the home, anything else is in the project."""
        target = self.home / path.removeprefix("~/") if path.startswith("~/") else self.work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def run(
        self, script: str, *, answers: Mapping[str, str] | None = None, until: Callable[[str], bool] | None = None
    ) -> str:
        """Run lines of a shell in a terminal until one fails, and return what was shown, without colours.

        ``answers``: what is typed when a text appears, once. ``until``: says of what was shown whether the terminal
        can be closed; without it the program has to end, and well.
        """
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (50, 240))
        process = subprocess.Popen(
            ["bash", "-c", f"set -e\n{script}"], stdin=slave, stdout=slave, stderr=slave, cwd=self.work, env=self.env,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        try:
            shown, wanted = _watch(master, dict(answers or {}), until)
            assert wanted or (until is None and _ended_well(process)), self._said(shown)
        finally:
            os.close(master)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(LEAVES)
        return shown

    def _said(self, shown: str) -> str:
        log = Path(f"{self._opened}.log")
        return f"{shown[-3000:]}\n{log.read_text(encoding='utf-8')[-2000:] if log.exists() else ''}"


def _ended_well(process: "subprocess.Popen[bytes]") -> bool:
    with suppress(subprocess.TimeoutExpired):
        return process.wait(LEAVES) == 0
    return False


def _watch(master: int, answers: dict[str, str], until: Callable[[str], bool] | None) -> tuple[str, bool]:
    """Read a terminal to its end, or as far as is wanted; answer what is asked. Return what was shown, and if it was."""
    raw, deadline, look = b"", time.monotonic() + SECONDS, 0.0
    while time.monotonic() < deadline:
        shown = _plain(raw)
        for asked in [each for each in answers if each in shown]:
            os.write(master, answers.pop(asked).encode())
        if until is not None and time.monotonic() > look:
            if until(shown):
                return shown, True
            look = time.monotonic() + LOOK
        if not select([master], [], [], LOOK)[0]:
            continue
        try:
            raw += os.read(master, 65536)
        except OSError:  # Linux says so when the last program at the terminal has ended.
            break
    return _plain(raw), False


def _plain(raw: bytes) -> str:
    """Return what a terminal got as text: some programs step over a gap where others write a space."""
    return _CONTROLS.sub("", _STEP_RIGHT.sub(" ", raw.decode(errors="replace")))
