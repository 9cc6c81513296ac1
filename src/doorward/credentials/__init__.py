"""Bearer secrets: what we hand out, and how we know it again.

Owns the format of every secret, the fingerprints that are stored, the signing keys, the one mint of OAuth tokens, API
keys, and the one door that turns a presented credential into a ``Principal``. Does not own the OAuth grants that lead
to a token (``authserver/``) nor what a principal may do (``policy/``).
"""
