"""One module per system outside: the only code that does I/O there. Knows no Prefect."""
