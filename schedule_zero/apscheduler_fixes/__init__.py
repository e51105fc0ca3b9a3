"""Defects of APScheduler 4.0.0a6 that would reach our users, each worked around in one place.

Nothing is patched and nothing is copied: each module holds a subclass, or a part of our store, that is used in the
place of what APScheduler has. Each names the public issue, if there is one, and has a test beside its kin that fails
without it. What a newer APScheduler has mended can be removed file by file.

| module | defect | public |
|---|---|---|
| `cron_day_after_shift` | times before 01:00 on the day after the clocks went forward are lost | #606 |
| `cron_day_after_shift` | a day's or an hour's times are lost where the clocks skip its beginning (00:00 in Cairo) | |
| `cron_missing_times` | a time that the clocks skip is named as if it existed, and may hide one that does | #1059 |
| `cron_never` | a day that never comes is searched for up to the year 9999, on the event loop | |
| `cron_start_zone` | a start given in another zone, or between two seconds, shifts the times | |
| `cron_steps` | the step of ``1-5/2``, ``mon-fri/2`` and ``jan-jun/2`` is dropped without a word | #1117 |
| `interval_in_utc` | an interval counts what the wall clock shows, across shifts | #372 |
| `calendar_gaps` | a day whose time is skipped moves all days after it, near midnight | #1138 |
| `failing_triggers` | a trigger that fails ends the scheduler, or gets another schedule's next time | |
| `long_absence` | every missed time is computed, one by one, on the event loop | #526, #1066 |
| `jitter_waited` | `max_jitter` is drawn, and not waited for | |
| `clock_steps` | a clock set forward, or a machine that slept, makes everything late | #794 |

Others do not reach our users, because our store does without what they stand on (see `store`, `store_schedules`): a
schedule that is paused at its fire time is written back whole and fires twice; one that is paused and overdue keeps the
memory store spinning; a schedule that is added between the question for the next fire time and its answer sleeps until
the next of the others (our answers come in the order of the writes); jobs of a dead scheduler are dropped as abandoned;
one locked database ends the scheduler. ``AndTrigger``, which gives up times that could still agree, is not offered.
"""
