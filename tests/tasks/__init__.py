"""Steps, reports, and which of them may be repeated."""
