"""One loss-scaled neural network per label."""
