from dctc.studies.study import Arm, Study

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
