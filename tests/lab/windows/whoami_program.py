"""whoami.exe of a lab host: the name that LAB_STATE holds, and with /groups /fo csv /nh the groups of its token.

Groups are those of `whoami.groups` (name, type, SID, attributes), or without it those of an administrator, elevated
or not as `whoami.elevated` says. Without elevation Administrators stands there for denials only.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ENABLED = "Mandatory group, Enabled by default, Enabled group"
EVERYBODY = ("Everyone", "Well-known group", "S-1-1-0", ENABLED)
FULL = (
    EVERYBODY,
    ("BUILTIN\\Administrators", "Alias", "S-1-5-32-544", f"{ENABLED}, Group owner"),
    ("Mandatory Label\\High Mandatory Level", "Label", "S-1-16-12288", ""),
)
FILTERED = (
    EVERYBODY,
    ("BUILTIN\\Administrators", "Alias", "S-1-5-32-544", "Group used for deny only"),
    ("Mandatory Label\\Medium Mandatory Level", "Label", "S-1-16-8192", ""),
)

if __name__ == "__main__":
    who = json.loads(Path(os.environ["LAB_STATE"]).read_text())["whoami"]
    arguments = [one.lower() for one in sys.argv[1:]]
    if arguments == ["/groups", "/fo", "csv", "/nh"]:
        for row in who["groups"] if "groups" in who else FULL if who["elevated"] else FILTERED:
            print(",".join(f'"{cell}"' for cell in row))
    elif arguments:
        sys.exit(f"the stand-in for whoami does not know {sys.argv[1:]}")
    else:
        print(who["name"])
