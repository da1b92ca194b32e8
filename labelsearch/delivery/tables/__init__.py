"""Tables of text, for the terminal and the report, with the figures they were made from."""
