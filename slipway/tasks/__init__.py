"""One observable step each: call a port, log a line, return a domain value."""
