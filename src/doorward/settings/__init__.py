"""Every knob, its default and its one-line help; the only reader of configuration files and of the environment.

A TOML file with the tables below. Everything has a default; an unknown table or key is an error that names it. The
rest of the program gets plain values from ``bootstrap``, never this package.
"""

from doorward.settings.checks import check as check
from doorward.settings.knobs import *
from doorward.settings.reading import load as load
