"""How whoever waits for something long is told how far it is; without knowing who waits, or how it is shown."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Advance = Callable[[int], None]
"""``advance(done)``: so many are done by now; it never blocks. A transaction that is tried again begins anew."""
Watched = Callable[[int], AbstractContextManager[Advance]]
"""``watched(count)`` is entered for as long as so many things are done one after the other."""


def unheard(_done: int) -> None:
    """Tell nobody."""


def unwatched(_count: int) -> AbstractContextManager[Advance]:
    """Tell nobody."""
    return nullcontext(unheard)
