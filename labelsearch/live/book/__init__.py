"""A book of many markets, followed row by row: one account for each tier, with the weights of the search."""
