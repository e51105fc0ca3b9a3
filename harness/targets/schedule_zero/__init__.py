"""The target driver ``schedule_zero``: the only room of the harness that knows that scheduler by name.

`driver` is the face; `options` what a scenario may set; `deployment` writes its configuration; `governor` keeps the
process of one server's governor, `fleet` those of all; `stores` is where it keeps its jobs, `credentials` who may speak
to it; `operations` what a workload may call, over `api`, and `intruder` what nobody may; `records` what it recorded;
`audits` what it left. `hooks`, `worker` and `mutants` run inside its processes, started there by the agent.
"""
