"""The entry point of `slipway`."""

import click


@click.group()
@click.version_option(package_name="slipway")
def main() -> None:
    """Carry a commit into a running, proven container, and back again when it must."""
