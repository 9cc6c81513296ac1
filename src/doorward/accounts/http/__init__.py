"""The pages of signing in. HTTP types stop here: every rule is in a module without them, one level up."""
