"""whoami.exe of a lab host: the name that LAB_STATE holds. It knows no options."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(f"the stand-in for whoami knows no {sys.argv[1]}")
    print(json.loads(Path(os.environ["LAB_STATE"]).read_text())["whoami"]["name"])
