"""Kills a server while it is written to, again and again, and looks for what it had acknowledged.

    python Tests/Compatibility/killtest.py .build/release/roost --rounds 100

Several connections create records; at a random moment the process gets kill -9; it is started again on the same
directory; every record it answered 200 for must be there, and SQLite must find both databases sound."""

import argparse
import contextlib
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from client import Client
from identities import Identities
from server import SUPERUSER_EMAIL, Server


class Writer(threading.Thread):
    """Creates records one after the other and remembers those that were acknowledged."""

    def __init__(self, port, first):
        super().__init__(daemon=True)
        self.client = Client(port, timeout=5)
        self.first = first
        self.acknowledged = []
        self.refused = []

    def run(self):
        number = self.first
        while True:
            record = "w%014d" % number
            body = json.dumps({"id": record, "text": "x" * (number % 300), "n": number}).encode()
            try:
                answer = self.client.send(
                    "POST", "/api/collections/load/records", [("Content-Type", "application/json")], body)
            except OSError:
                return
            if answer.status == 200:
                self.acknowledged.append(record)
            elif not (answer.status == 400 and b"validation_not_unique" in answer.body):
                # A record may be there already when its answer was lost and the client sent it again.
                self.refused.append((answer.status, answer.body[:200]))
            number += 1


def make(server):
    """An empty directory with a superuser and the collection that is written to."""
    os.makedirs(server.dir, exist_ok=True)
    server.upsert_superuser()
    token = Identities(server.dir, {}, SUPERUSER_EMAIL).token("superuser")
    server.spawn()
    server.wait()
    client = Client(server.port)
    answer = client.send("POST", "/api/collections", [("Authorization", token), ("Content-Type", "application/json")], json.dumps({
        "name": "load", "type": "base", "createRule": "",
        "fields": [{"name": "text", "type": "text"}, {"name": "n", "type": "number"}],
        "indexes": ["CREATE UNIQUE INDEX idx_load_n ON load (n)"],
    }).encode())
    client.close()
    if answer.status != 200:
        raise SystemExit("the collection was not created: %d %s" % (answer.status, answer.body.decode()))


def check(server, expected):
    """The faults of a directory whose server just started again. Records found lost are taken out of `expected`, so
    that each loss is told once."""
    faults = []
    with contextlib.closing(sqlite3.connect(os.path.join(server.dir, "data.db"), timeout=10)) as database:
        sound = database.execute("PRAGMA integrity_check").fetchall()
        present = {row[0] for row in database.execute("SELECT id FROM load")}
    if sound != [("ok",)]:
        faults.append("data.db: %s" % sound[:3])
    lost = [record for record in expected if record not in present]
    if lost:
        expected.difference_update(lost)
        faults.append("%d acknowledged records are lost, such as %s" % (len(lost), lost[:3]))
    auxiliary = os.path.join(server.dir, "auxiliary.db")
    if os.path.exists(auxiliary):
        with contextlib.closing(sqlite3.connect(auxiliary, timeout=10)) as database:
            sound = database.execute("PRAGMA integrity_check").fetchall()
        if sound != [("ok",)]:
            faults.append("auxiliary.db: %s" % sound[:3])
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", help="the server to kill")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--longest", type=float, default=0.3, help="seconds of load before the kill, at most")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", action="store_true", help="keep the data directory when something failed")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    dice = random.Random(seed)
    print("seed %d" % seed)

    home = tempfile.mkdtemp(prefix="killtest-")
    server = Server(options.command, home, "server")
    passed = failed = total = 0
    expected = set()
    began = time.monotonic()
    try:
        make(server)
        for number in range(options.rounds):
            # Each round writes ids of its own, so that what was lost in an earlier round is not written again.
            writers = [Writer(server.port, (number * options.threads + index) * 1_000_000) for index in range(options.threads)]
            for writer in writers:
                writer.start()
            time.sleep(dice.uniform(0.01, options.longest))
            alive = server.alive()
            server.kill()
            for writer in writers:
                writer.join()
                writer.client.close()
            for writer in writers:
                expected.update(writer.acknowledged)
                total += len(writer.acknowledged)
            server.spawn()
            server.wait()
            faults = check(server, expected)
            faults += ["answered %d: %s" % refusal for writer in writers for refusal in writer.refused[:1]]
            if not alive:
                faults.append("the server had ended by itself: %s" % server.log(500))
            if faults:
                failed += 1
                print("FAIL round %d: %s" % (number + 1, "; ".join(faults)))
            else:
                passed += 1
    finally:
        server.kill()
        if failed and options.keep:
            print("kept %s" % home)
        else:
            shutil.rmtree(home, ignore_errors=True)
    print("%d records acknowledged, %.2f s a round" % (total, (time.monotonic() - began) / max(1, options.rounds)))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
