"""Console output of a run: progress of 80 columns, and no lines that say nothing."""

import io
import logging

from rich.console import Console
from rich.progress import Progress

from dctc.training.logs import ProgressBar, loggers, quiet_lightning


def test_the_columns_of_a_long_training_leave_room_for_loss_and_accuracy():
    bar, out = ProgressBar(), io.StringIO()
    with Progress(
        *bar.configure_columns(None), console=Console(file=out, width=200), auto_refresh=False
    ) as shown:
        shown.add_task(bar._get_train_description(11), total=3125, completed=1234, visible=True)
    (line,) = {line.rstrip() for line in out.getvalue().splitlines() if line.strip()}
    assert len(line) + len(" loss: 105.641 val: 0.843") <= 80


def test_lines_that_say_nothing_are_not_printed(monkeypatch):
    handlers = [logging.NullHandler() for _ in range(2)]  # Lightning has none where pytest has one
    for package, handler in zip(("pytorch_lightning", "lightning_fabric"), handlers, strict=True):
        monkeypatch.setattr(logging.getLogger(package), "handlers", [handler])
    quiet_lightning()
    quiet_lightning()  # as each run of a study does
    assert all(len(handler.filters) == 1 for handler in handlers)
    for text in ("Seed set to 0", "GPU available: False, used: False", "said"):
        record = logging.LogRecord("lightning", logging.INFO, "", 0, text, (), None)
        assert {bool(handler.filter(record)) for handler in handlers} == {text == "said"}


def test_wandb_is_not_given_what_it_warns_about(tmp_path):
    (wandb,) = loggers(tmp_path / "run", "run", "", "offline")[1:]
    assert "anonymous" not in wandb._wandb_init
