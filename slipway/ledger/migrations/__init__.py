"""How the tables came about, step by step; runs at first use."""
