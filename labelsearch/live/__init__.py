"""What runs the winners outside a run: the bundle, and the engine that follows bars as they close."""
