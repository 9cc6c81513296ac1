"""Structured logs on standard error, one line each. What is logged is chosen where it is logged: never a secret.

Callers put secrets where none belong (a key as client id, or into a path), and a refusal quotes what was sent: what has
the form of our secrets (``credentials/secret.py``) is therefore taken out of every line (I13).
"""

import logging
import re
import sys
from typing import Any, Final

import structlog

_SECRET: Final = re.compile(r"(?<=[A-Za-z0-9]_)[0-9A-Za-z]{30,}")
"""Longer than any id; a secret's body has 49 characters, and one that a reason cut off is found as well."""


def configure_logs(level: str, form: str) -> None:
    """Log from ``level`` (debug, info, warning, error) on, as ``text`` or as ``json``."""
    render = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_secrets,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _without_secrets(_logger: object, _method: str, event: structlog.typing.EventDict) -> dict[str, Any]:
    return {name: _SECRET.sub("[secret]", said) if isinstance(said, str) else said for name, said in event.items()}
