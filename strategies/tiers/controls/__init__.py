"""Controls: simple ways to use the same outputs, which searched tiers have to beat."""
