"""Which of several waiting deploys of one target runs: the newest; the others are superseded.

The webhook asks this before it starts a run, and the line of a stack's lease before it gives the
lease away, so that a burst of pushes is built at most twice.
"""

from collections.abc import Mapping, Sequence

from slipway.domain.commit import Commit


def which_runs(asked: Sequence[Commit], behind: Mapping[Commit, int]) -> int:
    """The place in `asked`, which is in the order of request, of the one deploy that runs.

    `behind` says of each commit on the branch's main line how many are newer. The newest by the
    main line runs, whenever it was asked for: deliveries arrive in any order. Of one commit that
    was asked for several times, the first request runs. A commit that is not on the main line runs
    only where none is, the last asked first; its own gates will refuse it.
    """
    if not asked:
        raise ValueError("nobody waits")
    on_line = [place for place, commit in enumerate(asked) if commit in behind]
    if on_line:
        return min(on_line, key=lambda place: behind[asked[place]])
    return asked.index(asked[-1])
