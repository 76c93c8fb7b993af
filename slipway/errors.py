"""Every error of Slipway's own, drawn.

SlipwayError
├── TransientError      trying again may help: the other side was unreachable, busy or overloaded
└── PermanentError      trying again cannot help until somebody changes something
"""


class SlipwayError(Exception):
    """What was tried, on which object, what was seen and what to do next, in one message."""


class TransientError(SlipwayError):
    """Trying the same thing again may help."""


class PermanentError(SlipwayError):
    """Trying the same thing again cannot help until somebody changes something."""
