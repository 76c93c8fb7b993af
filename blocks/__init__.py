"""Where things are and with which credentials: the Prefect blocks, which build the clients."""
