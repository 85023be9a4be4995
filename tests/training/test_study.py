from dctc.reporting.registry import Record, Registry
from dctc.training.study import Arm, Study, print_status

ARMS = (Arm("ctc", "CTC", ("--a=0",)), Arm("dctc", "DCTC", ("--a=1",)))


def test_the_arms_of_one_seed_come_together_and_differ_in_their_options_only():
    runs = Study("t", ARMS, (0, 7), ("--config=x",), diagnosed=True).runs()
    assert [run.name for run in runs] == [
        "t/ctc/seed0",
        "t/dctc/seed0",
        "t/ctc/seed7",
        "t/dctc/seed7",
    ]
    assert runs[3].options == ("--config=x", "--a=1", "--seed_everything=7", "--arm=t/dctc")
    assert all(run.diagnosed for run in runs)


def test_status_counts_the_runs_of_the_target_and_says_how_long_the_others_take(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path))
    study = Study("t", ARMS, (0, 1, 2), ())
    registry = Registry(tmp_path)
    for arm, seed in (("t/ctc", 0), ("t/ctc", 0), ("t/dctc", 0), ("other/ctc", 1), ("t/ctc", 9)):
        scored = (arm, seed, "set", 1, 0, 0, 1, 0.0, {}, "english36", "hits", "samples", 5400.0)
        registry.append(Record("key", *scored))
    print_status("table9", study.runs())
    said = "table9            2 of    6 runs done,    4 missing; about 6.0 h, one at a time\n"
    assert capsys.readouterr().out == said
    print_status("table8", study.runs()[:1])
    assert capsys.readouterr().out.endswith("1 of    1 runs done,    0 missing\n")
    print_status("figure2", [])
    assert capsys.readouterr().out == "figure2        nothing to train\n"
