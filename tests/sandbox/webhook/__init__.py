"""The webhook among real parts."""
