"""What an operator is told where a database cannot be opened at all."""

import subprocess
import sys

WITHOUT_DRIVER = """
import sys
sys.modules["psycopg"] = None
from doorward.storage.database import NotReady
from doorward.storage.opening import open_database
try:
    open_database("postgresql://127.0.0.1/x", create=True)
except NotReady as told:
    print(told)
"""


def test_a_driver_that_is_not_installed_is_named_with_the_way_to_get_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DRIVER], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == ("database.url: the driver psycopg is not installed. Run `pip install 'psycopg[binary]'`.\n")
