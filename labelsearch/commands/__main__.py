"""``python -m labelsearch.commands`` does the same as ``labelsearch``."""

from labelsearch.commands import main

if __name__ == "__main__":
    main()
