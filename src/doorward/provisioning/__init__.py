"""Setting a deployment up: `doorward apply`, trees that products push, and servers that tenants add and narrow.

Owns checking such documents, planning the changes and making them in one transaction. Owns no page, no command and no
credential: passwords are hashed and keys are made elsewhere.
"""
