"""What the pytest plugin is made of: `fixtures` for tests in Python, `items` for scenario files."""
