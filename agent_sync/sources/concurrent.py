"""Run several jobs at once, so that none waits for another, and the caller for no longer than wanted.

Transfers between registries (`agent_sync_oci.transfer.concurrent`) wait for whatever has begun, because they use
registries that are closed afterwards. Jobs here may be left behind, and their caller is woken to look for a
cancellation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from agent_sync.errors import AgentSyncError, Cancelled

if TYPE_CHECKING:
    from agent_sync.ports import Cancellation

MAX_JOBS = 16  # they wait for servers, and hardly ever for a processor
_POLL_S = 0.1

Outcome = TypeVar("Outcome")


def outcome_of(work: Callable[[], Outcome]) -> Outcome | AgentSyncError:
    """Return the result of `work`, or the error that it raises: the failure of one source is not that of all.

    Raises: Cancelled, which is no failure of a source.
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
    """Return what all jobs found, merged in their order. What one raises stops the others that have not begun.

    Whoever cancels, or presses Ctrl-C, does not wait for a silent server: running jobs are left behind, to end at their
    own time limit. `leave_none` is for jobs that use what is closed afterwards, and that wait for nobody.

    Raises: Cancelled, and what a job raises.
    """
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait  # takes 5 ms, and most runs fetch nothing

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
