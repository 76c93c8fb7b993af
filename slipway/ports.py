"""What the steps of a release need from the systems outside."""
