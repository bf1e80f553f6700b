"""`python -m planish.compiler` is `planish`."""

import sys

from .cli import main

sys.exit(main())
