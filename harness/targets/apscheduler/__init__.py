"""The target driver ``apscheduler``: any APScheduler 4 scheduler, with nothing around it.

`driver` is the face; `options` what a scenario may set; `specs` turns its triggers into plain data, `building` those
into triggers of APScheduler. `host` owns the scheduler, in a process of its own (`child`) or in a thread, at the far
end of a link (`links`); `recording` and `records` are how it tells what it did; `mutants` break it on purpose.
"""
