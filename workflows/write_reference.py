"""Write docs/configuration.md and docs/data-dictionary.md anew from the program."""

from pathlib import Path

from jinhua_rs import reference

if __name__ == "__main__":
    reference.write(Path(__file__).parent.parent / "docs")
