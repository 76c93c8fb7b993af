"""Each client, against recorded answers or the real program."""
