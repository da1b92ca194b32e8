"""Stages, their keys and their records: runs each stage once for the same inputs. Knows nothing of markets."""
