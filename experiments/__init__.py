"""The paper: its studies, tables and figures; run from the root of the repository.

``python -m experiments.table1`` parses its command line here, before its imports, which take a
while: help and mistakes come at once.
"""

import sys

if sys.argv[:1] == ["-m"]:  # Python is looking for the script
    from experiments.parsers import SCRIPTS, parser_of

    _script = sys.orig_argv[-len(sys.argv)].rpartition(".")[2]
    if _script in SCRIPTS:
        parser_of(_script).parse_args()
