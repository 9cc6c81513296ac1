"""One file per grant type: what must hold before a connection gives tokens. Minting is ``credentials/issuer.py``."""
