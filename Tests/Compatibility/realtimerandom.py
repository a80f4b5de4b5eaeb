"""Nothing lost: a random test of resuming.

    python Tests/Compatibility/realtimerandom.py [--roost PATH] [--seconds N] [--seed N]

Writers create, change and delete records, alone and in batches, while clients come, go without a word and resume, over
WebSockets and server-sent events, and the server is stopped and killed with -9. What each client is told of the public
collection must in the end be what was acknowledged, each change once and in order; a change whose answer was lost with
the server may have happened or not, but all clients must agree on it, and it must agree with the data."""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import requests

from realtimesockets import Desk, Socket
from server import Server, find_roost

passed = failed = 0
# Each change is told twice, and a client may be cut between the two.
TOPICS = ["posts/*", "posts/*?options=" + urllib.parse.quote('{"query":{"fields":"id,title"}}')]


def check(name, condition, seen=None):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print("FAIL %s%s" % (name, "" if seen is None else ": %r" % (seen,)))


class World:
    def __init__(self, server, desk, rng):
        self.server, self.desk, self.rng = server, desk, rng
        self.lock = threading.Lock()
        self.is_written = False  # no more writes
        self.is_over = False     # and nothing is on its way any more
        self.waiting = set()     # clients that have no subscription yet
        self.acknowledged = {}   # record -> list of (action, title) that were answered, in order
        self.unsure = {}         # record -> set of (action, title) whose answer was lost
        self.number = 0

    def title(self):
        with self.lock:
            self.number += 1
            return "t%d" % self.number

    def is_subscribed(self, name):
        with self.lock:
            self.waiting.discard(name)


def writer(world, name, rng):
    """Has records of its own, so that it knows their order."""
    http, records, unsure = requests.Session(), [], set()
    count = 0
    while not world.is_written:
        count += 1
        title = world.title()
        record = "%sx%012d" % (name, count)
        path = "/api/collections/posts/records"
        change = rng.random()
        if change < 0.5 or not records:
            steps = [("create", record, title)]
            call = ("POST", path, {"id": record, "title": title})
        elif change < 0.8:
            record = rng.choice(records)
            steps = [("update", record, title)]
            call = ("PATCH", path + "/" + record, {"title": title})
        elif change < 0.9:
            record = rng.choice(records)
            steps = [("delete", record, None)]
            call = ("DELETE", path + "/" + record, None)
        else:
            ids = ["%sb%010dp%d" % (name, count, part) for part in range(3)]
            titles = [world.title() for _ in ids]
            steps = [("create", one, text) for one, text in zip(ids, titles)]
            call = ("POST", "/api/batch", {"requests": [{"method": "POST", "url": path, "body": {"id": one, "title": text}} for one, text in zip(ids, titles)]})
        try:
            answer = http.request(call[0], world.server.url + call[1], json=call[2], timeout=10)
            status = answer.status_code
        except requests.RequestException:
            status = None
            http.close()
        if status is None or status in (500, 503):
            with world.lock:
                for action, one, text in steps:
                    world.unsure.setdefault(one, set()).add((action, text))
            # What became of it is not known: nobody touches it any more.
            records = [one for one in records if one not in [step[1] for step in steps]]
            time.sleep(0.02)
            continue
        if status not in (200, 204):
            check("a write is taken", False, (call, status, answer.text))
            return
        with world.lock:
            for action, one, text in steps:
                world.acknowledged.setdefault(one, []).append((action, text))
        for action, one, _ in steps:
            if action == "create":
                records.append(one)
            elif action == "delete":
                records.remove(one)
        if len(records) > 50:
            records = records[-25:]


def client_over_socket(world, name, rng, told, problems):
    place = None
    while True:
        try:
            client = Socket(world.server.port, "/api/realtime?resume=1", timeout=3)
            hello = client.message("hello")
            first = place is None
            place = place or hello["position"]
            client.send({"type": "subscribe", "id": 1, "topics": TOPICS, "after": place})
            until = time.monotonic() + rng.uniform(0.05, 1.5)
            is_caught_up = False
            while world.is_over or time.monotonic() < until:
                message = client.message()
                if message["type"] == "ack":
                    world.is_subscribed(name)
                elif message["type"] == "event":
                    told.append((message["action"], message["record"]["id"], message["record"]["title"], message["position"], message["topic"]))
                    place = message["position"]
                elif message["type"] == "gap":
                    problems.append("gap after %s (%s)" % (place, first))
                    return
                elif message["type"] == "resumed":
                    is_caught_up = True
                    if world.is_over:
                        return
            client.close()
        except (OSError, EOFError, ValueError, AssertionError, IndexError):
            time.sleep(0.02)


def client_over_events(world, name, rng, told, problems):
    place = None
    while True:
        try:
            headers = {"Last-Event-ID": place} if place else {}
            answer = requests.get(world.server.url + "/api/realtime?resume=1", stream=True, headers=headers, timeout=3)
            until = time.monotonic() + rng.uniform(0.05, 1.5)
            event = {}
            for line in answer.iter_lines(decode_unicode=True):
                if line:
                    key, _, value = line.partition(":")
                    event[key] = value
                    continue
                if event.get("event") == "PB_CONNECT":
                    place = place or event["id"]
                    data = json.loads(event["data"])
                    requests.post(world.server.url + "/api/realtime", json={"clientId": data["clientId"], "subscriptions": TOPICS}, timeout=3).raise_for_status()
                    world.is_subscribed(name)
                elif event.get("event") == "ROOST_GAP":
                    problems.append("gap after %s" % place)
                    return
                elif event.get("event") in TOPICS:
                    data = json.loads(event["data"])
                    told.append((data["action"], data["record"]["id"], data["record"]["title"], event["id"], event["event"]))
                    place = event["id"]
                elif event.get("event") == "ROOST_RESUMED" and world.is_over and headers:
                    return
                event = {}
                if not world.is_over and time.monotonic() > until:
                    break
            answer.close()
        except (requests.RequestException, OSError, ValueError, KeyError):
            time.sleep(0.02)


def place_of(position):
    number, _, topic = position.rpartition("-")[2].partition(".")
    return int(number), int(topic, 16)


def judge(world, name, told):
    places = [place_of(change[3]) for change in told]
    check("%s is told in order and once" % name, all(a < b for a, b in zip(places, places[1:])), [(a, b) for a, b in zip(places, places[1:]) if a >= b][:5])
    halves = [[change[:3] for change in told if change[4] == topic] for topic in TOPICS]
    check("%s is told the same by both topics" % name, halves[0] == halves[1], [len(half) for half in halves])
    told = halves[0]
    by_record = {}
    for action, record, title in told:
        by_record.setdefault(record, []).append((action, title))
    wrong = []
    for record in set(world.acknowledged) | set(by_record):
        sure, seen = world.acknowledged.get(record, []), by_record.get(record, [])
        unsure = world.unsure.get(record, set())
        plain = [(action, None if action == "delete" else title) for action, title in seen]
        rest = [change for change in plain if change in sure]
        extra = [change for change in plain if change not in sure and change not in unsure]
        if rest != sure or extra:
            wrong.append((record, sure, plain, unsure))
    check("%s is told what was acknowledged" % name, not wrong, wrong[:3])
    return by_record


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--roost")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    print("seed %d" % options.seed)
    with tempfile.TemporaryDirectory() as home:
        server = Server(find_roost(options.roost), home, "roost")
        try:
            server.upsert_superuser()
            server.spawn()
            server.wait()
            port = server.port
            desk = Desk(server)
            desk.build()
            assert desk.send("PATCH", "/api/settings", {"batch": {"enabled": True, "maxRequests": 50, "timeout": 10}}, desk.root).status_code == 200
            world = World(server, desk, rng)
            # All begin before the first write, so that all must be told the same.
            probe = Socket(port, "/api/realtime?resume=1")
            probe.message("hello")
            probe.close()
            clients, threads = [], []
            for number in range(8):
                told, problems = [], []
                run = client_over_socket if number % 2 else client_over_events
                name = "%s %d" % ("socket" if number % 2 else "events", number)
                clients.append((name, told, problems))
                world.waiting.add(name)
                threads.append(threading.Thread(target=run, args=(world, name, random.Random(rng.random()), told, problems), daemon=True))
                threads[-1].start()
            patience = time.monotonic() + 30
            while world.waiting and time.monotonic() < patience:
                time.sleep(0.02)
            assert not world.waiting, world.waiting
            writers = [threading.Thread(target=writer, args=(world, "w%d" % number, random.Random(rng.random())), daemon=True) for number in range(3)]
            for one in writers:
                one.start()
            end, restarts = time.monotonic() + options.seconds, 0
            while time.monotonic() < end:
                time.sleep(rng.uniform(1, 2.5))
                if rng.random() < 0.5:
                    server.kill()
                else:
                    server.process.send_signal(signal.SIGTERM)
                    server.process.wait(30)
                restarts += 1
                with open(server.log_path, "ab") as log:
                    server.process = subprocess.Popen(server.command + ["serve", "--dir", server.dir, "--http", "127.0.0.1:%d" % port], cwd=server.home,
                                                      stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
                server.wait()
            world.is_written = True
            for one in writers:
                one.join(20)
            # Who catches up from here on has everything.
            world.is_over = True
            for one in threads:
                one.join(20)
            check("every client has caught up", not any(one.is_alive() for one in threads))
            seen = [judge(world, name, told) for name, told, _ in clients]
            check("nobody met a gap", not any(problems for _, _, problems in clients), [problems for _, _, problems in clients])
            check("all clients agree", all(one == seen[0] for one in seen))
            # What is told last of each record is what the data has.
            stored, page = {}, 1
            while True:
                items = desk.send("GET", "/api/collections/posts/records?perPage=500&page=%d&sort=id" % page, token=desk.root).json()["items"]
                stored.update({item["id"]: item["title"] for item in items})
                if len(items) < 500:
                    break
                page += 1
            last = {record: changes[-1][1] for record, changes in seen[0].items() if changes[-1][0] != "delete"}
            check("the last that was told is what is stored", last == stored, (len(last), len(stored), sorted(set(last.items()) ^ set(stored.items()))[:5]))
            total = sum(len(changes) for changes in world.acknowledged.values())
            check("enough has happened", total > 100 and restarts > 2, (total, restarts))
            print("%d acknowledged changes, %d lost answers, %d restarts, %s told" % (total, sum(map(len, world.unsure.values())), restarts, [len(told) for _, told, _ in clients]))
        finally:
            server.kill()
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
