"""Put the pictures and the table of the finished `make demo` into README.md and docs/images."""

from pathlib import Path

from jinhua_rs import reference

ROOT = Path(__file__).parent.parent
MADE = ROOT / "demo" / "outputs"
REPORT, FOLLOWED = MADE / "2024" / "published" / "report", MADE / "valley" / "2024Q4" / "followup"

if __name__ == "__main__":
    reference.write_demo_result(REPORT, FOLLOWED, ROOT / "README.md", ROOT / "docs" / "images")
