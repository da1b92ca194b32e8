"""What one would have liked to know: hindsight labels. Everything here looks ahead and says so."""
