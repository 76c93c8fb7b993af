"""GitHub's pushes in, flow runs out, and nothing that was acknowledged is lost in between.

A delivery is verified, kept in the ledger's inbox, and only then acknowledged (`receiver`). `app`
is the one place here that builds clients; Prefect is spoken to by the port `FlowRuns`.
"""
