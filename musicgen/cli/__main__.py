"""Lets `python -m musicgen.cli` do what `musicgen` does."""

from musicgen.cli.app import main

if __name__ == "__main__":
    main()
