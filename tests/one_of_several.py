"""Be one of several processes that train: ``one_of_several.py JOBS``, after ``torchrun``'s manner.

Each line of the file is a port for its processes to meet at, and a command line of ``animegan``,
as JSON. One after the other they are run in this process, since importing torch takes longer than
any of them; the first that fails ends it, with its exit status. Of a job that begins with
``without-edges``, activations of the frozen network have none.
"""

import json
import os
import sys
from pathlib import Path

from without_edges import smoothly

from animegan_cli.cli.app import main
from animegan_cli.networks.lite0 import SameConv

plainly = SameConv.forward
for line in Path(sys.argv[1]).read_text().splitlines():
    port, *words = json.loads(line)
    os.environ["MASTER_PORT"] = str(port)
    smooth = words[0] == "without-edges"
    SameConv.forward = smoothly if smooth else plainly  # type: ignore[method-assign]
    words = words[smooth:]
    sys.argv = ["animegan", *words]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
