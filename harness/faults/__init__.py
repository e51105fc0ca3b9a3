"""What goes wrong: kinds of fault, where and when they strike, and how they are healed."""
