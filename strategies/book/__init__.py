"""One account across many markets: wishes of all markets made into a book, and traded with its costs."""
