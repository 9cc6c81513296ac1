"""What every error has: a code, and words for the person who meets it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of failure, in words for the person who meets it."""

    code: str
    title: str
    cause: str
    fix: str
