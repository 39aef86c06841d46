"""Put the picture and the table of the finished `make demo` into README.md and docs/images."""

from pathlib import Path

from jinhua_rs import reference

ROOT = Path(__file__).parent.parent
REPORT = ROOT / "demo" / "outputs" / "2024" / "published" / "report"

if __name__ == "__main__":
    reference.write_demo_result(REPORT, ROOT / "README.md", ROOT / "docs" / "images")
