import json

import numpy as np
from PIL import Image

from dctc.results.upload import upload
from dctc.tables import Table
from offline_wandb import wandb_records

TABLE = Table("Losses", ["loss", "accuracy"], [["CTC", "83.74"], ["DCTC", "84.00"]], ["percent"])


def test_tables_and_pictures_are_a_run_of_the_targets_group(runs, tmp_path):
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "plot.png")
    (tmp_path / "plot.svg").write_text("<svg/>")
    upload("table9", "offline", {"main": TABLE}, [tmp_path / "plot.png", tmp_path / "plot.svg"])
    folder, records = wandb_records(runs / "table9")
    (run,) = records["run"]
    assert (run.project, run.run_group, run.display_name) == ("dctc", "table9", "table9/report")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["main"] == {"title": "Losses", "notes": ["percent"]}
    (stored,) = (folder / "files").rglob("*.table.json")
    table = json.loads(stored.read_text())
    assert (table["columns"], table["data"]) == (TABLE.columns, TABLE.rows)
    assert [path.suffix for path in (folder / "files").rglob("plot*")] == [".png"]


def test_nothing_is_sent_where_logging_is_off(runs):
    upload("table9", "off", {"main": TABLE}, [])
    assert not runs.exists()
