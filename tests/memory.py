"""How much of a process's memory is what."""

import re
from pathlib import Path


def resident(folder: Path) -> int:
    """Bytes of a folder's mapped files that are in memory."""
    total, ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            ours = str(folder) in line
        elif ours and line.startswith("Rss:"):
            total += 1024 * int(line.split()[1])
    return total
