"""The SQL record of releases, and the lease that lets one of them change a stack."""
