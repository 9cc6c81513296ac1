"""How far a command is that takes long: a bar where somebody looks on, else a plain line for each step. On stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click

from doorward.provisioning.watched import Advance, unheard

F = TypeVar("F", bound=Callable[..., object])
quiet_option: Callable[[F], F] = click.option("--quiet", "-q", is_flag=True, help="Do not say how far it is.")


class Progress:
    """Says nothing where ``quiet``, and nothing of a step in which there is nothing to do."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    @contextmanager
    def step(self, doing: str, count: int, thing: str) -> Iterator[Advance]:
        """Tell of ``count`` things that are done one after the other, as ``Checking 3 passwords``."""
        words = f"{doing} {count} {thing}{'' if count == 1 else 's'}"
        if self._quiet or not count:
            yield unheard
        elif sys.stderr.isatty():
            with click.progressbar(length=count, label=words, file=sys.stderr, show_eta=False, show_pos=True) as bar:
                yield lambda done: bar.update(done - bar.pos)
        else:
            click.echo(f"{words} …", err=True)
            yield unheard
