"""What the specifications say, and nothing else.

PURE: no I/O, no clock, no randomness, no framework. Values in; values or ``ProtocolError`` out. What a deployment
decides for itself (who may do what) is in ``policy/``; what is stored is in ``storage/``.
"""
