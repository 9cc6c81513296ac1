"""Doorward keeps the door of MCP servers: who may come in, and what they may do there.

Read in this order: ``model/``, ``protocol/``, ``policy/``, then the feature you came for.
"""
