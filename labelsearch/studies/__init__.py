"""Studies of a run: stages like any other, with arguments of their own."""
