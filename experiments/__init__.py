"""The paper: its studies, tables and figures; run from the root of the repository."""
