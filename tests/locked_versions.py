"""Requirements with hashes, from the report of pip: what `make lock` writes.

The hashes are those of the files that pip chose, so they hold for one platform and one version of Python.
"""

import json
import sys
from pathlib import Path

HEAD = """\
# What `pip install labelsearch` installs, for Linux on x86-64 with Python 3.11 and the CPU build of torch; written by
# `make lock`. Install with: pip install --require-hashes -r {name}, then labelsearch itself with --no-deps.
"""


def locked(report: dict, name: str) -> str:
    """Text of the file of this name, a line a package and one for its hash."""
    lines = []
    for item in report["install"]:
        if item.get("requested") and item["metadata"]["name"] == "labelsearch":
            continue
        sha256 = item["download_info"]["archive_info"]["hashes"]["sha256"]
        lines.append(
            f"{item['metadata']['name'].lower()}=={item['metadata']['version']} \\\n    --hash=sha256:{sha256}\n"
        )
    return HEAD.format(name=name) + "".join(sorted(lines))


if __name__ == "__main__":
    target = Path(sys.argv[2])
    target.write_text(locked(json.loads(Path(sys.argv[1]).read_text()), target.name))
