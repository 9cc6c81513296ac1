"""People's own accounts at servers behind the gateway: we are the OAuth client there (decision 0057)."""
