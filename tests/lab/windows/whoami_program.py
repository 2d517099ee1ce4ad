"""whoami.exe of a lab host: the name that LAB_STATE holds, with /user its SID, with /groups those of its token.

The two tables come as `/fo csv /nh` writes them: one after the other, with an empty line before each.

Groups are those of `whoami.groups` (name, type, SID, attributes), or without it those of an administrator, elevated
or not as `whoami.elevated` says. Without elevation Administrators stands there for denials only.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

USER = "S-1-5-21-1004336348-1177238915-682003330-1104"
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
    groups = who["groups"] if "groups" in who else FULL if who["elevated"] else FILTERED
    if arguments == ["/user", "/groups", "/fo", "csv", "/nh"]:
        for row in ([], (who["name"], USER), [], *groups):
            print(",".join(f'"{cell}"' for cell in row))
    elif arguments:
        sys.exit(f"the stand-in for whoami does not know {sys.argv[1:]}")
    else:
        print(who["name"])
