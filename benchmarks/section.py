"""The page of validation, a section at a time: each command rewrites what it measured, no more."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGE", "Section"]

PAGE = Path(__file__).parent.parent / "docs" / "validation.md"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page, between two marks: its heading, and the command that writes it."""

    title: str
    module: str

    @property
    def marks(self) -> tuple[str, str]:
        """First and last line of what the command writes."""
        name = self.module.rpartition("/")[2].removesuffix(".py").replace("_", " ")
        return f"<!-- measured by {self.module} -->", f"<!-- end of {name} -->"

    def write(self, text: str, page: Path = PAGE) -> None:
        """Put ``text`` between the marks; where there are none yet, at the end of the page."""
        old, (first, last) = page.read_text(encoding="utf-8"), self.marks
        before, mark, rest = old.partition(first)
        after = rest.partition(last)[2] or "\n"
        if not mark:
            before = f"{old.rstrip()}\n\n## {self.title}\n\n"
        page.write_text(f"{before}{first}\n\n{text.strip()}\n\n{last}{after}", encoding="utf-8")
