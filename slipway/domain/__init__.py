"""Release values and decisions, pure: nothing here reads, writes, waits or logs."""
