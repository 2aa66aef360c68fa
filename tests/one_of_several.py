"""Be one of several processes that train: ``one_of_several.py JOBS``, after ``torchrun``'s manner.

Each line of the file is a port for its processes to meet at, and a command line of ``animegan``,
as JSON. One after the other they are run in this process, since importing torch takes longer than
any of them; the first that fails ends it, with its exit status. Activations of the frozen network
have no edges here (``without_edges``).
"""

import json
import os
import sys
from pathlib import Path

from without_edges import smoothly

from animegan_cli.cli.app import main
from animegan_cli.networks.lite0 import SameConv

SameConv.forward = smoothly  # type: ignore[method-assign]
for line in Path(sys.argv[1]).read_text().splitlines():
    port, *words = json.loads(line)
    os.environ["MASTER_PORT"] = str(port)
    sys.argv = ["animegan", *words]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
