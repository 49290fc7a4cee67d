"""`python -m celldsl` is the `celldsl` command."""

import sys

from celldsl.cli.main import main

sys.exit(main())
