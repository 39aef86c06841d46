"""``python -m jinhua_rs``: the command line without an installed script."""

from jinhua_rs.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
