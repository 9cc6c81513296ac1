"""How the program is loaded."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Import without looking for garbage: there is next to none, and each look walks all that is loaded by then.

    It was a fifth of a start. What is loaded stays until the end, so later looks leave it out too.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if before:
            gc.enable()
