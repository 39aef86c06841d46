"""How the command line speaks: one language, to people or to machines, with progress bars."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from jinhua_rs.errors import JinhuaError
from jinhua_rs.figures import Language
from jinhua_rs.tasks import Progress as Told

__all__ = ["INTERRUPTED", "Speech"]

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Speech:
    """
    One call's way of speaking.

    ``language`` is ``"zh"`` or ``"en"``. People read ``say`` and ``table`` on standard output;
    machines (``as_json``) read one JSON document there and nothing else. Progress and
    complaints go to standard error.
    """

    language: Language
    as_json: bool
    out: Console
    err: Console

    @classmethod
    def of(cls, language: str, *, as_json: bool) -> Self:
        """Return the speech of a language; anything but ``en…`` is Chinese."""
        chosen: Language = "en" if language.lower().startswith("en") else "zh"
        return cls(chosen, as_json, Console(), Console(stderr=True))

    @classmethod
    def of_arguments(cls, arguments: Sequence[str]) -> Self:
        """Return the speech that raw arguments ask for, before they are parsed."""
        language = os.environ.get("JINHUA_LANG", "zh")
        for at, argument in enumerate(arguments):
            if argument == "--lang":
                language = "".join(arguments[at + 1 : at + 2])
            elif argument.startswith("--lang="):
                language = argument.removeprefix("--lang=")
        return cls.of(language, as_json="--json" in arguments)

    def say(self, en: str, zh: str) -> None:
        """Print a line to people."""
        if not self.as_json:
            self.out.print(
                zh if self.language == "zh" else en, highlight=False, markup=False, soft_wrap=True
            )

    def table(self, headings: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
        """Print a table to people."""
        if not self.as_json:
            shown = Table(box=None, show_header=bool(headings), pad_edge=False)
            for heading in headings or [""] * len(lines[0]):
                shown.add_column(heading, overflow="fold")
            for line in lines:
                shown.add_row(*line)
            self.out.print(shown, markup=False)

    def tell(self, facts: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Print the result to machines."""
        if self.as_json:
            self.out.print(
                json.dumps(facts, ensure_ascii=False, default=str), soft_wrap=True, markup=False
            )

    def complain(self, text: str, code: int) -> None:
        """Print an error, to machines as ``{"error", "exit_code"}``."""
        if self.as_json:
            self.tell({"error": text, "exit_code": code})
        else:
            self.err.print(text, style="red", highlight=False, markup=False, soft_wrap=True)

    def guarded(self, call: Callable[[], int | None]) -> int:
        """Call, turn an expected trouble into its message, and return the exit code."""
        try:
            return call() or 0
        except JinhuaError as error:
            self.complain(error.text(self.language), error.exit_code)
            return error.exit_code
        except KeyboardInterrupt:
            return self.interrupted()
        except OSError as error:
            self.complain(f"{type(error).__name__}: {error}", JinhuaError.exit_code)
            return JinhuaError.exit_code

    def interrupted(self) -> int:
        """Say that Ctrl-C was heard and what becomes of the work; return the exit code."""
        text = "interrupted; finished pieces are kept, run again to go on"
        zh = "已中断；已完成的部分保留，再次运行即可继续"
        self.complain(zh if self.language == "zh" else text, INTERRUPTED)
        return INTERRUPTED

    @contextmanager
    def progress(self) -> Iterator[Told]:
        """Show a bar for each stage: pieces done, pieces in all, time passed, time left."""
        left = "剩余" if self.language == "zh" else "left"
        columns = (
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn(left),
            TimeRemainingColumn(),
        )
        bars: dict[str, TaskID] = {}
        with Progress(*columns, console=self.err, disable=self.as_json) as shown:

            def told(stage: str, done: int, total: int) -> None:
                if stage not in bars:
                    bars[stage] = shown.add_task(stage, total=total)
                shown.update(bars[stage], completed=done, total=total)

            yield told
