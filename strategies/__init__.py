"""What to do about it: 19 numbers in, an equity curve out. Imports nothing of ours, except the errors."""
