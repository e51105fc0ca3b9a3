"""Pages for people: rendered by the server, kept fresh by a little script, complete without it."""
