"""The scores of generated images as a table, between their floor and their ceiling."""

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from animegan_cli.metrics import Report

ROWS = {
    "frechet": "Frechet distance",
    "kid": "KID",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
}


def scores_table(report: "Report") -> Table:
    """Lay out a report: one row a metric; other real images, the generated ones, plain noise."""
    table = Table("", "floor (real)", "yours", "noise", box=None, pad_edge=False)
    columns = [vars(scores) for scores in (report.floor, report.yours, report.noise)]
    for metric, name in ROWS.items():
        cells = [_cell(column[metric]) for column in columns]
        if metric == "kid":
            cells[1] += f" +- {_cell(report.yours.kid_stderr)}"
        table.add_row(name, *cells)
    return table


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
