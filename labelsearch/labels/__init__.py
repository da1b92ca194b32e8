"""Hindsight labels: what would have been the right side at each bar. Everything here looks ahead."""
