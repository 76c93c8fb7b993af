"""A stand-in for Pulumi's Kubernetes provider: see contract.md for what it does as the real one."""

import shlex
import sys
from pathlib import Path

VERSION = "4.34.2"
"""The real provider's version whose behaviour is followed."""
NAME = "pulumi-resource-kubernetes"


def install(home: Path) -> Path:
    """Put the plugin where the CLI with this PULUMI_HOME finds it; the plugin's path."""
    folder = home / "plugins" / f"resource-kubernetes-v{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(__file__).parents[2]
    program = folder / NAME
    program.write_text(
        "#!/bin/sh\n"
        f"PYTHONPATH={shlex.quote(str(root))} exec {shlex.quote(sys.executable)} -P -m "
        'sandbox.kubernetes_provider "$@"\n'
    )
    program.chmod(0o755)
    return program
