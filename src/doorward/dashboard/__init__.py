"""Settings pages, one file per page. Each calls the same use cases as the command line.

Owns what a page shows and asks. Owns no rule: those are in ``credentials``, ``policy`` and ``accounts``.
"""
