"""One bare pypsrp session that is given a script and runs commands, one after the other, to the end.

`python -m benchmarks.bare_commands HOST FILE`: FILE holds, as JSON, pairs of a command and its parameters; one without
parameters (null) is a script. By the Kerberos ticket at hand, over HTTP with encrypted messages.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan


def main(host: str, file: str) -> None:
    """Run them all; end with an error as soon as one has one."""
    wsman = WSMan(host, ssl=False, auth="kerberos", encryption="always")
    with RunspacePool(wsman) as pool:
        for command, parameters in json.loads(Path(file).read_text()):
            shell = PowerShell(pool)
            if parameters is None:
                shell.add_script(command)
            else:
                shell.add_cmdlet(command)
                for name, value in parameters.items():
                    shell.add_parameter(name, value)
            shell.invoke()
            if shell.had_errors:
                raise SystemExit(f"{command[:40]}: {shell.streams.error[0]}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
