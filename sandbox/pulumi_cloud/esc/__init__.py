"""Environments, secrets and configuration: definitions, revisions, evaluation."""
