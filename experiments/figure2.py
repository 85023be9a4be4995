"""Figure 2: the scheme of DCTC. Nothing is trained; all scales draw the same."""

from __future__ import annotations

from rich.console import Console

from dctc.cli import one_line_errors
from dctc.reporting.published import save_figure
from dctc.reporting.registry import runs_folder
from dctc.reporting.scheme import draw_scheme
from dctc.training.runs import Run, parse_options
from dctc.training.status import status_lines
from dctc.training.upload import upload


def plans(scale: str) -> dict[str, list[Run]]:
    """Return all runs: none, at any scale."""
    return {"figure2": []}


def main() -> None:
    """Draw."""
    options = parse_options(__doc__ or "", scales=("tiny", "smoke", "small"))
    if options.status:
        print(*status_lines(plans(options.scale)), sep="\n")
        return
    files = save_figure(draw_scheme(), runs_folder() / "figure2" / "figure2")
    upload("figure2", options.log, {}, files)
    for file in files:
        Console().print(f"written to {file}", highlight=False)


if __name__ == "__main__":
    with one_line_errors("figure2"):
        main()
