"""``doorward demo`` on a machine where the name of a test's own https server leads to loopback, and may be fetched from.

Everything else is the program as it is: its fetcher resolves, judges, connects and checks the certificate.
"""

import socket
from dataclasses import replace
from typing import Any

from doorward.cli.main import main
from doorward.demo import run
from doorward.settings import Settings, SignInSettings, WorkloadSettings

HOST = "app.example"


def _resolve(host: Any, *more: Any, **named: Any) -> Any:
    return _asked("127.0.0.1" if host == HOST else host, *more, **named)


def _settings(*given: Any) -> Settings:
    made = _made(*given)
    return replace(
        made, workload=WorkloadSettings(allow_loopback=True), sign_in=SignInSettings(allow_loopback=True)
    )  # fmt: skip


_asked, _made = socket.getaddrinfo, run.settings_of
if __name__ == "__main__":
    socket.getaddrinfo = _resolve
    run.settings_of = _settings
    main(prog_name="doorward")
