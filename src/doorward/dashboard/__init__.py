"""Pages behind a session: ``x.py`` has a page, ``x_form``, ``x_list`` and ``x_desk`` what it is made of. Each calls the same use cases as the command line.

Owns what a page shows and asks. Owns no rule: those are in the packages below.
"""
