"""Many runs: a study is arms x seeds x data."""
