"""Peers that answer, and misbehave, on command."""
