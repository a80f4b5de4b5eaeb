"""Makes the disk fail at every step of what the server does, and looks at what is left.

    python Tests/Faults/run.py [--seconds 60] [--only NAME] [--report FILE]      (the program is named by ROOST_BIN)

For each operation the n-th call that changes a file fails, for every n up to the operation's end: once, or from then on, with
ENOSPC or EIO. Each time: the answer is either a success and the change is there whole, or an error of 5xx in JSON and nothing has
changed; what was there before is still there; and when the fault is gone, the same operation works. In the other half the process is
killed at the n-th call, and the folder must then hold the old state or the new one.

With --seconds, what does not fit is thinned out evenly, first the second error number, then every other n.
"""

import argparse
import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time

from faultydisk import ERRORS, FROM, KILL, ONCE, SHORT, FaultyDisk, build
from operations import OPERATIONS
from roost import Roost

passed = failed = 0
failures = []


def check(what, holds, detail=""):
    global passed, failed
    if holds:
        passed += 1
        return True
    failed += 1
    failures.append("%s %s" % (what, detail))
    print("FAIL %s %s" % (what, detail), flush=True)
    return False


def sound(folder):
    """What SQLite finds wrong with the databases."""
    problems = []
    for name in ("data.db", "auxiliary.db"):
        path = os.path.join(folder, name)
        with sqlite3.connect("file:%s?mode=ro" % path, uri=True) as connection:
            rows = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            rows += ["foreign key %s" % (row,) for row in connection.execute("PRAGMA foreign_key_check")]
        connection.close()
        if rows != ["ok"]:
            problems.append("%s: %s" % (name, rows))
    return problems


class Budget:
    """Shares the time out among what is still to be done."""

    def __init__(self, seconds, parts):
        self.end = time.monotonic() + seconds if seconds else None
        self.parts = parts

    def next(self):
        """The end of the next part."""
        if not self.end:
            return float("inf")
        now = time.monotonic()
        share = max(0, self.end - now) / max(1, self.parts)
        self.parts -= 1
        return now + share


def count_calls(roost, disk, operation):
    """How many calls the operation makes when nothing fails."""
    job = operation(roost)
    disk.arm(0, 0)
    answer = job.perform()
    roost.settle()
    calls, _ = disk.heal()
    job.end()
    check("%s works" % operation.name, answer.ok, answer)
    return calls


def plan(calls, until, cost):
    """The faults to try, the most telling first: (number, mode, error)."""
    numbers = list(range(1, calls + 4))
    waves = [
        [(n, FROM, "ENOSPC") for n in numbers], [(n, ONCE, "EIO") for n in numbers],
        [(n, FROM, "EIO") for n in numbers], [(n, ONCE, "ENOSPC") for n in numbers],
        [(n, SHORT, "ENOSPC") for n in numbers],
    ]
    room = int((until - time.monotonic()) / cost) if until != float("inf") else 10**9
    chosen = []
    for wave in waves:
        if room <= 0:
            break
        step = max(1, -(-len(wave) // room))
        chosen += wave[::step]
        room -= len(wave[::step])
    return chosen


def with_errors(roost, disk, operation, until, counts):
    calls = count_calls(roost, disk, operation)
    started = time.monotonic()
    roost.state()
    cost = 0.03
    tried = refused = 0
    for number, mode, error in plan(calls, until, cost):
        if time.monotonic() > until:
            break
        what = "%s, call %d of %d, %s %s" % (operation.name, number, calls, {ONCE: "once", FROM: "from then on", SHORT: "half written"}[mode], error)
        job = operation(roost)
        before = roost.state()
        disk.arm(mode, number, ERRORS[error])
        answer = job.perform()
        _, hit = disk.heal()
        tried += 1
        if not roost.alive():
            check(what + ": the server lives", operation.may_end, roost.log()[-500:])
            roost.start(disk)
        roost.settle()
        after = roost.state()
        done = job.is_done(before, after)
        if answer.ok and operation.promises:
            check(what + ": the change is there", done, difference(before, after))
        elif answer.ok:
            check(what + ": the old state or the new one", done or after == before, difference(before, after))
        else:
            check(what + ": the answer", hit > 0 and 500 <= answer.status < 600 and answer.is_json, answer)
            check(what + ": nothing has changed", after == before, difference(before, after))
        if not done:
            refused += 1
            again = job.perform()
            after = roost.state()
            check(what + ": works afterwards", again.ok and job.is_done(before, after), "%s %s" % (again, difference(before, after)))
        job.end()
    counts[operation.name] = {"calls": calls, "faults": tried, "refused": refused, "seconds": round(time.monotonic() - started, 1)}


def difference(before, after):
    return "; ".join(
        "%s: %s -> %s" % (key, str(before.get(key))[:150], str(after.get(key))[:150])
        for key in sorted(set(before) | set(after)) if before.get(key) != after.get(key))


def with_kills(roost, disk, operation, until, counts):
    calls = count_calls(roost, disk, operation)
    numbers = list(range(1, calls + 1))
    room = max(3, int((until - time.monotonic()) / 0.9)) if until != float("inf") else len(numbers)
    killed = 0
    for number in numbers[:: max(1, -(-len(numbers) // room))]:
        if time.monotonic() > until:
            break
        what = "%s, killed at call %d of %d" % (operation.name, number, calls)
        job = operation(roost)
        before = roost.state()
        disk.arm(KILL, number)
        answer = job.perform()
        roost.await_end(1 if roost.in_server(operation) else 0)
        _, hit = disk.heal()
        killed += hit
        if hit and not operation.may_end:
            check(what + ": sound", not sound(roost.data), sound(roost.data))
        if not roost.alive():
            roost.start(disk)
        if hit and operation.may_end:
            # Before the start, the databases may be on their way.
            check(what + ": sound", not sound(roost.data), sound(roost.data))
        after = roost.state()
        done = job.is_done(before, after)
        if answer.ok and operation.promises:
            check(what + ": what was acknowledged is there", done, answer)
        else:
            check(what + ": the old state or the new one", after == before or done, difference(before, after))
            if not done:
                again = job.perform()
                check(what + ": works afterwards", again.ok and job.is_done(before, roost.state()), again)
        job.end()
    counts[operation.name]["kills"] = killed


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=0, help="about how long; 0 tries everything")
    arguments.add_argument("--only", help="only operations whose names contain this")
    arguments.add_argument("--report", help="a file for the counts in JSON")
    arguments.add_argument("--keep", action="store_true", help="leave the folder there")
    options = arguments.parse_args()
    work = tempfile.mkdtemp(prefix="roost-faults-")
    counts = {}
    roost = None
    try:
        library = build(work)
        home = os.path.join(work, "home")
        os.mkdir(home)
        disk = FaultyDisk(library, os.path.join(work, "control"), home)
        roost = Roost(os.environ["ROOST_BIN"], home)
        roost.prepare(disk)
        chosen = [o for o in OPERATIONS if not options.only or options.only in o.name]
        parts = len(chosen) + sum(o.killable for o in chosen)
        budget = Budget(options.seconds, parts)
        for operation in chosen:
            with_errors(roost, disk, operation, budget.next(), counts)
            check("%s: the databases are sound" % operation.name, not sound(roost.data), sound(roost.data))
        for operation in chosen:
            if operation.killable:
                with_kills(roost, disk, operation, budget.next(), counts)
        before = roost.state()
        roost.kill()
        roost.start(None)
        check("all is there after the end by force", roost.state() == before, difference(before, roost.state()))
        check("the databases are sound at the end", not sound(roost.data), sound(roost.data))
        left = roost.strays()
        check("nothing is left behind", not left, left)
    finally:
        if roost:
            roost.kill()
        if options.keep:
            print("left in", work)
        else:
            shutil.rmtree(work, ignore_errors=True)
    for name, row in counts.items():
        print("%-34s %3d calls, %4d faults, %4d refused, %3d kills" % (
            name, row["calls"], row["faults"], row["refused"], row.get("kills", 0)))
    if options.report:
        with open(options.report, "w") as file:
            json.dump(counts, file, indent=2)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    main()
