"""The OAuth 2.1 authorization server: discovery, registration, authorization, consent, tokens, revocation.

Owns the grants: from a client's first request to the connection that a person approved, and the tokens that come from
it. Does not own sign-in (``accounts/``), the form of tokens and secrets (``credentials/``), the rules of the messages
(``protocol/``) nor what a token lets anybody do (``gateway/``, ``policy/``).
"""
