"""GitHub in the sandbox: what it tells a webhook when somebody pushes (contract.md)."""
