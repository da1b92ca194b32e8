"""Where units of work are executed."""
