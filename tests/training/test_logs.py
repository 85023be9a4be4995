"""Console output of a run: progress of 80 columns, and no lines that say nothing."""

import io
import logging
from types import SimpleNamespace

from rich.console import Console
from rich.progress import Progress

from dctc.data.records.batch import Corrupt, collate
from dctc.training.logs import ProgressBar, ReadingsTable, loggers, quiet_lightning
from tiny import noise_batch


def test_the_columns_of_a_long_training_leave_room_for_loss_and_accuracy():
    bar, out = ProgressBar(), io.StringIO()
    with Progress(
        *bar.configure_columns(None), console=Console(file=out, width=200), auto_refresh=False
    ) as shown:
        shown.add_task(bar._get_train_description(11), total=3125, completed=1234, visible=True)
    (line,) = {line.rstrip() for line in out.getvalue().splitlines() if line.strip()}
    assert len(line) + len(" loss: 105.641 val: 0.843") <= 80


def test_a_batch_of_which_nothing_can_be_read_is_not_shown(monkeypatch):
    shown = []
    logger = SimpleNamespace(log_table=lambda name, columns, data: shown.append(data))
    monkeypatch.setattr("dctc.training.logs._wandb_loggers", lambda trainer: [logger])
    batches = [noise_batch(["ab"]), collate([Corrupt("set/1", "image missing")])]
    outcomes = [[SimpleNamespace(label="ab", prediction="a", confidence=0.5)], []]
    for batch, found in zip(batches, outcomes, strict=True):
        trainer = SimpleNamespace(sanity_checking=False)
        ReadingsTable().on_validation_batch_end(trainer, None, {"outcomes": found}, batch, 0)
    ((row,),) = shown
    assert row[1:] == ["ab", "a", 0.5]


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
