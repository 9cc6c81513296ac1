"""The command line: reads options, calls use cases, prints answers.

Owns no rule: what may be done is decided below. Every command works beside a running server, has an example in its
``--help``, and fails with one line of cause and fix on standard error and an exit code other than 0.
"""
