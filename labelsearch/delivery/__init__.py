"""What leaves a run: report and export."""
