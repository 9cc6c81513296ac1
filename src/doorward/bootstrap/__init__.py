"""The composition root: settings become a clock, entropy, storage, keys and, from these, the program.

The only place where the clock is read and randomness is drawn, and the only one besides ``cli`` that knows
``settings``. Everything is built by ordinary constructor calls; nobody else builds collaborators.
"""
