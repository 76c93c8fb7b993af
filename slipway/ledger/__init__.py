"""What is recorded of every release, and who may change a stack now."""
