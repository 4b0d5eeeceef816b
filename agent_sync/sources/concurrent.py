"""Run several jobs at once without anybody waiting longer than they want."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

from agent_sync.errors import AgentSyncError, Cancelled
from agent_sync.ports import Cancellation

MAX_JOBS = 8
_POLL_S = 0.1

Outcome = TypeVar("Outcome")


def outcome_of(work: Callable[[], Outcome]) -> Outcome | AgentSyncError:
    """What `work` comes to, or the error that it fails with: that of one source is not that of all.

    Raises: Cancelled, which is nobody's failure.
    """
    try:
        return work()
    except Cancelled:
        raise
    except AgentSyncError as error:
        return error


def run_concurrently(
    jobs: Sequence[Callable[[], Mapping[str, Outcome]]], *, cancellation: Cancellation, leave_none: bool = False
) -> dict[str, Outcome]:
    """What all jobs found, put together in their order. What one raises ends the others that have not begun.

    Whoever cancels, or presses Ctrl-C, does not wait for a silent server: jobs under way are left behind, to end at
    their own time limit. `leave_none` is for jobs that use what is closed afterwards, and that wait for nobody.

    Raises: Cancelled, and what a job raises.
    """
    pool = ThreadPoolExecutor(max_workers=MAX_JOBS, thread_name_prefix="job")
    try:
        running = [pool.submit(job) for job in jobs]
        waiting = set(running)
        while waiting:
            done, waiting = wait(waiting, timeout=_POLL_S, return_when=FIRST_EXCEPTION)
            cancellation.check()
            for each in done:
                each.result()
        return {name: outcome for each in running for name, outcome in each.result().items()}
    finally:
        pool.shutdown(wait=leave_none, cancel_futures=True)
