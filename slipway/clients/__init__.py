"""One module per system outside: the only code that does I/O there. Knows no Prefect."""

import sys

# httpx imports its own command line, and rich with it, wherever rich is installed (httpx 0.28,
# __init__.py); it goes without when that fails. A tenth of a second of every start.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # None: "can't be imported"
