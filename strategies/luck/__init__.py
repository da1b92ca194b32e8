"""How much of a result can be luck: statistics on arrays alone."""
