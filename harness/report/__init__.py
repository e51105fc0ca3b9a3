"""Telling what happened: on the terminal, as JSON or JUnit, in one self-contained HTML page."""
