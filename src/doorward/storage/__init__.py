"""SQL: the only package that knows tables, and the only one that imports a database driver or SQLAlchemy.

Owns the schema, its migrations, how transactions run (``database.py``) and every statement, one module per noun. Does
not own any rule about who may do what (``policy/``), nor what a secret is worth (``credentials/``): it stores what it
is given and says how many rows changed. No cursor and no driver type leaves it.
"""
