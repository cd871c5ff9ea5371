"""A compiler cache for Verilator's OBJCACHE: keeps the objects of Verilator's own runtime, which no design changes.

Called as `python object_cache.py COMPILER ARGUMENTS`; anything but the compilation of a runtime file is passed on. The
key is the command without its output file, and the size and time of Verilator and of the compiler.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path


def main(command: list[str]) -> int:
    """Run a compiler's command, or copy its result from an earlier run."""
    root = os.environ.get("VERILATOR_ROOT", "//")
    sources = [word for word in command if word.endswith(".cpp")]
    if "-c" not in command or "-o" not in command or len(sources) != 1 or not sources[0].startswith(root):
        return subprocess.call(command)
    place = command.index("-o")
    output = command[place + 1]
    tools = [Path(tool).stat() for tool in (root + "/bin/verilator_bin", shutil.which(command[0]) or command[0])]
    stamps = [(tool.st_size, tool.st_mtime_ns) for tool in tools]
    key = hashlib.sha256(repr((command[:place] + command[place + 2 :], stamps)).encode()).hexdigest()
    folder = Path(os.environ["BITTRUE_OBJECTS"])
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{key[:24]}.o"
    if kept.exists():
        shutil.copyfile(kept, output)
        return 0
    code = subprocess.call(command)
    if code == 0:
        part = folder / f"{kept.stem}.{os.getpid()}"
        shutil.copyfile(output, part)
        part.rename(kept)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
