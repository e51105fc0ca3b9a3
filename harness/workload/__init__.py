"""The load: when calls are made, with which arguments, and how each ended."""
