"""Setting a deployment up: what `doorward apply` declares, and the resource trees that products push.

Owns checking such documents, planning the changes and making them in one transaction. Owns no page, no command and no
credential: passwords are hashed and keys are made elsewhere.
"""
