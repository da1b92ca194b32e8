"""What a user may write in an experiment: sections, presets, and files of the user's own."""
