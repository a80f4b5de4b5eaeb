"""Makes the disk fail at every step of what the server does, and looks at what is left.

    python Tests/Faults/run.py [--seconds 60] [--only NAME] [--report FILE]      (the program is named by ROOST_BIN)

For each operation the n-th call that changes a file fails, for every n up to the operation's end: once, or from then on, with
ENOSPC or EIO. Each time: the answer is either a success and the change is there whole, or an error of 5xx in JSON and nothing has
changed; what was there before is still there; and when the fault is gone, the same operation works. In the other half the process is
killed at the n-th call, and the folder must then hold the old state or the new one.

With --seconds, what does not fit is left out by chance, the less telling first; --seed makes the same choice again. With --jobs,
several servers are tried at the same time, each on its share.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
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


class Share:
    """Which of the things to try are this process's, and chance."""

    def __init__(self, seed, index, count):
        self.dice, self.index, self.count = random.Random(seed), index, count

    def of(self, things):
        return things[self.index :: self.count]

    def some(self, things, room):
        """As many as there is room for, in their order."""
        if room >= len(things):
            return things
        return [things[index] for index in sorted(self.dice.sample(range(len(things)), room))]


def plan(calls, until, cost, share):
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
        some = share.some(share.of(wave), room)
        chosen += some
        room -= len(some)
    return chosen


def begin(roost, disk, operation, before):
    """Prepares an attempt. What went before must not keep the server from working."""
    try:
        return operation(roost)
    except SystemExit as problem:
        check("%s: the server works on" % before, False, problem)
        roost.kill()
        roost.start(disk)
        return operation(roost)


def with_errors(roost, disk, operation, until, counts, share):
    calls = count_calls(roost, disk, operation)
    started = time.monotonic()
    tried, refused, what = 0, 0, "counting the calls"
    for number, mode, error in plan(calls, until, operation.cost, share):
        if time.monotonic() > until:
            break
        job = begin(roost, disk, operation, what)
        what = "%s, call %d of %d, %s %s" % (operation.name, number, calls, {ONCE: "once", FROM: "from then on", SHORT: "half written"}[mode], error)
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


def with_kills(roost, disk, operation, until, counts, share):
    calls = count_calls(roost, disk, operation)
    numbers = share.of(list(range(1, calls + 1)))
    room = max(3, int((until - time.monotonic()) / 0.4)) if until != float("inf") else len(numbers)
    killed, what = 0, "counting the calls"
    for number in share.some(numbers, room):
        if time.monotonic() > until:
            break
        job = begin(roost, disk, operation, what)
        what = "%s, killed at call %d of %d" % (operation.name, number, calls)
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
        if answer.ok and operation.promises and operation.survives:
            check(what + ": what was acknowledged is there", done, answer)
        else:
            check(what + ": the old state or the new one", after == before or done, difference(before, after))
            if not done:
                again = job.perform()
                check(what + ": works afterwards", again.ok and job.is_done(before, roost.state()), again)
        job.end()
    counts[operation.name]["kills"] = killed


def alone(options, chosen):
    """Tries this process's share, and returns the counts of each operation."""
    work = tempfile.mkdtemp(prefix="roost-faults-")
    share = Share(options.seed, options.index, options.jobs)
    counts = {}
    roost = None
    try:
        library = build(work)
        home = os.path.join(work, "home")
        os.mkdir(home)
        disk = FaultyDisk(library, os.path.join(work, "control"), home)
        roost = Roost(os.environ["ROOST_BIN"], home)
        roost.prepare(disk)
        budget = Budget(options.seconds, len(chosen) + sum(o.killable for o in chosen))
        for operation in chosen:
            with_errors(roost, disk, operation, budget.next(), counts, share)
            check("%s: the databases are sound" % operation.name, not sound(roost.data), sound(roost.data))
        for operation in chosen:
            if operation.killable:
                with_kills(roost, disk, operation, budget.next(), counts, share)
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
    return counts


def together(options, words):
    """Has as many processes as there are jobs try their shares, and adds up their counts."""
    global passed, failed
    counts = {}
    with tempfile.TemporaryDirectory() as folder:
        reports = [os.path.join(folder, str(index)) for index in range(options.jobs)]
        jobs = [subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), *words, "--seed", str(options.seed), "--index", str(index), "--report", report])
            for index, report in enumerate(reports)]
        for job, report in zip(jobs, reports):
            job.wait()
            if not os.path.exists(report):
                check("a job ends", False, job.returncode)
                continue
            with open(report) as file:
                found = json.load(file)
            passed, failed = passed + found["passed"], failed + found["failed"]
            for name, row in found["operations"].items():
                total = counts.setdefault(name, {})
                for key, value in row.items():
                    total[key] = max(total.get(key, 0), value) if key == "calls" else total.get(key, 0) + value
    return counts


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=0, help="about how long; 0 tries everything")
    arguments.add_argument("--only", help="only operations whose names contain this")
    arguments.add_argument("--seed", type=int, default=random.randrange(10**6), help="which of the faults that do not fit are tried")
    arguments.add_argument("--jobs", type=int, default=1, help="how many processes share the work (1)")
    arguments.add_argument("--index", type=int, help=argparse.SUPPRESS)
    arguments.add_argument("--report", help="a file for the counts in JSON")
    arguments.add_argument("--keep", action="store_true", help="leave the folder there")
    options = arguments.parse_args()
    chosen = [o for o in OPERATIONS if not options.only or options.only in o.name]
    if options.jobs > 1 and options.index is None:
        counts = together(options, sys.argv[1:])
    else:
        options.index = options.index or 0
        counts = alone(options, chosen)
    report = {"passed": passed, "failed": failed, "operations": counts}
    if options.report:
        with open(options.report, "w") as file:
            json.dump(report, file, indent=2)
    if options.jobs == 1 or options.index is None:
        for name, row in counts.items():
            print("%-34s %3d calls, %4d faults, %4d refused, %3d kills, %.0f s" % (
                name, row["calls"], row["faults"], row["refused"], row.get("kills", 0), row["seconds"]))
        print("seed %d" % options.seed)
        print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    main()
