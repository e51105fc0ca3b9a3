"""What happened: an append-only record of operations, executions and faults, with statistics over it."""
