"""One account across all markets of a panel: search and tiers of each split, and the verdict on all of them."""
