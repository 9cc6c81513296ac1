"""A real ``doorward serve`` in a process of its own."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(config: Path) -> Iterator[list[str]]:
    """Serve what a configuration file says, from the moment it answers until the end.

    Yields the lines that it says on both outputs; what it says later comes there too.
    """
    command = [sys.executable, "-m", "doorward.cli.main", "serve", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if "serving" in line:
                break
        listener = threading.Thread(target=said.extend, args=(process.stdout,), daemon=True)
        try:
            assert said, "it said nothing"
            assert "serving" in said[-1], "".join(said)
            listener.start()
            yield said
        finally:
            process.terminate()
            if listener.ident is not None:
                listener.join(20)
            process.wait(timeout=20)
