"""Launcher for a checkout: ``python cli.py`` is the same as the installed ``labelsearch`` command."""

from labelsearch.commands import main

if __name__ == "__main__":
    main()
