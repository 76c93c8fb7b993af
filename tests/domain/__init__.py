"""Decisions, without anything outside."""
