"""What the market looks like: causal features, arrays in and out. Imports nothing of ours."""
