"""``python -m st_verify``, see `st_verify.cli`."""

from __future__ import annotations

import sys

from st_verify.cli import main

if __name__ == "__main__":
    sys.exit(main())
