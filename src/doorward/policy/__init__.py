"""Who may do what: the permission vocabulary, the rules, and the one decider.

Pure: values in, values out. It reads no row, clock or setting, and knows neither HTTP nor JSON-RPC.
"""
