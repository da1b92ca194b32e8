"""The run: experiment file, stages and ledger."""
