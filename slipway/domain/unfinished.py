"""Which releases recovery still has to look at."""

from slipway.domain.release import Outcome, Release, State

UNPROVEN = frozenset({"unknown", "unreachable"})
"""Codes of an end that says only that nothing could be measured: a later look may find more."""


def is_unfinished(release: Release) -> bool:
    """Whether a release has no end, or one that recovery may still better."""
    if release.state is State.NEEDS_ATTENTION:
        return Outcome(release).code in UNPROVEN
    return not release.state.is_end
