"""Many markets and many splits: cells, what they share, and the verdict on all of them."""
