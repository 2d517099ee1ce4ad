"""`python -m remediate` is the same as `remediate`."""

import sys

from remediate.cli.main import main

sys.exit(main())
