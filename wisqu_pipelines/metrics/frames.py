"""Rows as pandas frames whose columns have the same types always, also where there is nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wisqu_pipelines.metrics.metric import Kind, Metric

if TYPE_CHECKING:  # pandas is imported where a frame is made: it takes a second
    from pandas import DataFrame

DTYPES: Mapping[Kind, str] = {
    Kind.TEXT: "str",
    Kind.COUNT: "int64",
    Kind.BYTES: "int64",
    Kind.SHARE: "float64",
    Kind.SECONDS: "float64",
    Kind.DAY: "datetime64[us, UTC]",
    Kind.MOMENT: "datetime64[us, UTC]",
}
Row = Mapping[str, Any]
"""A metric's row, by column."""


def frame(metric: Metric, rows: Sequence[Row]) -> "DataFrame":
    """A metric's rows as a frame."""
    import pandas  # noqa: PLC0415

    columns = {
        name: pandas.Series([row[name] for row in rows], dtype=DTYPES[kind]) for name, kind in metric.columns.items()
    }
    return pandas.DataFrame(columns)


def rows_of(found: "DataFrame") -> list[Row]:
    """A frame's rows with plain values: what is missing is None, and times are aware."""
    import pandas  # noqa: PLC0415

    names = [str(name) for name in found.columns]
    columns: Iterable[list[Any]] = (
        [None if pandas.isna(value) else _plain(value) for value in found[name].tolist()] for name in names
    )
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _plain(value: Any) -> Any:
    return value.to_pydatetime() if hasattr(value, "to_pydatetime") else value
