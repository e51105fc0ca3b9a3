"""The system under test behind one protocol; `base` is the protocol, each driver a room of its own."""
