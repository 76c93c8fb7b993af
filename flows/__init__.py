"""What happens in which order: one file per story, each readable like the runbook."""
