"""How a system lives: cycles of starting and stopping, and what must not be left behind."""
