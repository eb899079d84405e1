"""What checking passwords takes."""

import subprocess
import sys

MANY_AT_ONCE = """
import re
from concurrent.futures import ThreadPoolExecutor
from wisqu_pipelines.identity import passwords

kept = passwords.hash_password("correct horse battery staple")
with ThreadPoolExecutor(16) as pool:
    assert not any(pool.map(lambda number: passwords.matches(f"guess {number}", kept), range(16)))
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) // 1024)
"""


def test_many_at_once_do_not_take_all_memory() -> None:
    """By what the process itself has held at most: `getrusage` counts what the one held that it was forked from."""
    done = subprocess.run([sys.executable, "-c", MANY_AT_ONCE], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 600, "MiB: 64 for each of four, and not for each of sixteen"
