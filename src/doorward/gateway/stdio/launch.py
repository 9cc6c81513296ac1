"""Become another program, with limits. Run as a script by ``process.py``; imports nothing of ours.

``launch.py MEMORY_MIB PROGRAM [ARGUMENT…]``. A program of its own and not code between fork and exec: the gateway has
threads, and what they hold at the fork would stay held.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys

OPEN_FILES = 1024
PR_SET_PDEATHSIG = 1


def main() -> None:
    """Set the limits, and become the program. Ends with 127 where it cannot be started."""
    memory = int(sys.argv[1]) * 1024 * 1024
    # Not RLIMIT_AS: Node and Go reserve far more addresses than they use.
    for limit, most in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        lower = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (lower, lower))
    with contextlib.suppress(OSError, AttributeError):
        # Linux: should the gateway be killed, nobody else would end it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    for number in (signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  (no shell is the point)
    except OSError as wrong:
        sys.stderr.write(f"cannot start: {wrong.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main()
