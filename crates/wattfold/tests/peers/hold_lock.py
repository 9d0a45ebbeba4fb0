"""Keeps everybody else from writing an SQLite file.

    hold_lock.py FILE

Says `locked`, and lets go when standard input ends.
"""

import sqlite3
import sys

if __name__ == "__main__":
    connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    print("locked", flush=True)
    sys.stdin.read()
