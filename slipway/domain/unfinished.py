"""Which releases recovery still has to look at."""

from slipway.domain.release import Release


def is_unfinished(release: Release) -> bool:
    """Whether a release has no end, or one that recovery may still better."""
    return release.unproven or not release.state.is_end
