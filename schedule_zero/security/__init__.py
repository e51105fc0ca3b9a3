"""Who may speak to a scheduler: where it listens, HTTP tokens, CURVE keys, limits.

Without settings everything listens on loopback, in plain text, and asks for nothing; nothing of CURVE or ZAP
is touched then.
"""
