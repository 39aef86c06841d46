"""
How much a random split flatters a classifier: ``python -m benchmarks.leaks TABLE.parquet``.

The table is ``germany_s2_landcover_pixels.parquet`` of the OpenGeoHub 2021 tutorial (see
docs/decisions/0017): ten classes, 183 polygons in four regions, 45 % of the rows repeated.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from jinhua_rs.landcover.leaks import accuracy_by_split, n_alike

BANDS = ["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"]


def report(path: Path, rows: int = 8_000) -> Iterator[str]:
    """Yield a table: all rows and distinct rows; ten classes and forest against the rest."""
    whole = pd.read_parquet(path).sample(frac=1, random_state=0)
    alike = n_alike(whole[BANDS].to_numpy("float32"))
    yield f"{len(whole)} rows, {alike} ({alike / len(whole):.0%}) repeat another one\n"
    yield "| rows | question | at random | by polygon | by region |"
    yield "| --- | --- | --- | --- | --- |"
    tables = {"as they are": whole[:rows], "distinct": whole.drop_duplicates(BANDS)[:rows]}
    for name, table in tables.items():
        features = table[BANDS].to_numpy("float32")
        polygon, region = (
            table.groupby(keys).ngroup().to_numpy() for keys in (["Region", "ID"], ["Region"])
        )
        forest = table["Label"].str.contains("forest", case=False)
        questions = {"ten classes": table.groupby("Label").ngroup(), "forest or not": forest}
        for question, labels in questions.items():
            splits = {"random": None, "polygon": polygon, "region": region}
            found = accuracy_by_split(features, labels.to_numpy("int64"), splits)
            shares = " | ".join(f"{share:.3f}" for share in found.values())
            yield f"| {name} | {question} | {shares} |"


if __name__ == "__main__":
    for line in report(Path(sys.argv[1])):
        print(line)
