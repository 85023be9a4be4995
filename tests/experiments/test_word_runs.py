import json

import pytest
from experiments.studies.word_runs import WordRuns, dctc_template, words_are_there
from rich.console import Console


def test_a_run_names_its_data_its_options_and_its_arm():
    run = WordRuns(real=True).run("study/arm", ("--a=1",), 7)
    assert run.name == "study/arm/seed7" and run.diagnosed
    assert run.options == (
        "--config=experiments/configs/funsd.yaml",
        "--data.init_args.test=[FUNSD_val,FUNSD]",
        "--a=1",
        "--seed_everything=7",
        "--arm=study/arm",
    )
    searched = WordRuns(real=True, tiny=True).run("study/arm", (), 7, tested=False)
    assert searched.options[1:3] == (
        "--data.init_args.test=[FUNSD_val]",
        "--data.init_args.allow_size_mismatch=true",
    )


def test_the_template_is_a_callback_of_the_command_line():
    for more in ({}, {"warmup_steps": 50}):
        option, text = dctc_template("viterbi", **more).format("0.03").split("=", 1)
        assert option == "--trainer.callbacks"
        (callback,) = json.loads(text)
        assert callback["class_path"] == "dctc.training.callbacks.DCTCCallback"
        arguments = {"distill_weight": 0.03, "estimator": "viterbi", **more}
        assert callback["init_args"] == arguments


def test_what_is_missing_is_an_error_only_where_nothing_can_stand_in(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DCTC_DATA", str(tmp_path))
    assert not words_are_there(False, Console())
    assert "rendered words stand in" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(FileNotFoundError, match="FUNSD, training words: no LMDB folder"):
        words_are_there(True, Console())
