"""People and their tenants: sign-in, sessions, mailed links, invitations, members, roles and settings of a tenant, leaving.

Owns the pages before a session and their rules. Does not own what a person may do (``policy``) nor OAuth (``authserver``): it says
who is at the browser.
"""
