"""HTTP of the authorization server, one file per group of endpoints: reads requests, runs use cases, writes answers.

Two kinds of paths. Pages are for a person's browser: no CORS, cookies, 303. Machine paths are JSON whatever happens.
Decides nothing; ``authserver.routes`` puts the groups together.
"""
