"""Where things are and with which credentials, and the only place that builds clients for it.

`settings` is the one schema: `file` reads slipway.toml into it, the blocks of `prefect_blocks`
inherit it, and `clients` builds the ports from either; `ledger` opens the ledger alone. Only
`prefect_blocks` imports Prefect, which takes 1.5 seconds.
"""
