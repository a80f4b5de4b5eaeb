"""Realtime: what subscribers are told, on PocketBase and Roost, and what only Roost has: WebSockets and resuming.

    python Tests/Compatibility/realtimetest.py [--roost PATH] [--pocketbase PATH]

The same steps run on both and must give the same events; how long they take does not count. PocketBase hands each event
to a goroutine of its own, so that those that come at once arrive in any order: events are compared without their order,
and Roost must have told them in the order of the commits."""

import argparse
import http.client
import json
import re
import socket
import sys
import tempfile
import threading
import time
import urllib.parse

import requests

from server import SUPERUSER_EMAIL, SUPERUSER_PASSWORD, Server, find_pocketbase, find_roost

ID = re.compile(r"\b(?:[a-z0-9]{15}|pbc_\d+)\b")

passed = failed = 0


def check(name, condition, seen=None):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print("FAIL %s%s" % (name, "" if seen is None else ": %r" % (seen,)))


def wait_until(condition, seconds=5):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.005)
    return condition()


class Events:
    """A connection for server-sent events, read by a thread."""

    def __init__(self, port, path="/api/realtime", headers=None, source=None):
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(source, 0) if source else None)
        self.connection.request("GET", path, headers=headers or {})
        self.answer = self.connection.getresponse()
        self.headers = {name.lower(): value for name, value in self.answer.getheaders()}
        self.events, self.ended = [], False
        self.lock = threading.Lock()
        threading.Thread(target=self.read, daemon=True).start()
        if self.answer.status == 200:
            assert wait_until(lambda: self.events or self.ended), "no PB_CONNECT"
            self.first = self.events[0]
            self.id = json.loads(self.first["data"])["clientId"]
            self.seen = 1

    def read(self):
        event = {}
        try:
            while True:
                line = self.answer.readline()
                if not line:
                    break
                line = line.decode().rstrip("\n")
                if line:
                    name, _, value = line.partition(":")
                    event[name] = value
                else:
                    with self.lock:
                        self.events.append(event)
                    event = {}
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            pass
        self.ended = True

    def subscribe(self, topics, token=None, **more):
        headers = {"Authorization": token} if token else {}
        return requests.post("http://127.0.0.1:%d/api/realtime" % self.port, json={"clientId": self.id, "subscriptions": topics},
                             headers=headers, timeout=30, **more)

    def take(self, count, seconds=5):
        """The next events, as many as are expected; one more is looked for a moment longer when none is expected."""
        wait_until(lambda: len(self.events) >= self.seen + count, seconds)
        if count == 0:
            time.sleep(0.15)
        new = self.events[self.seen:]
        self.seen += len(new)
        return new

    def close(self):
        try:
            self.connection.sock and self.connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        try:
            self.answer.fp and self.answer.fp.raw._sock.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass


def topic(name, **options):
    return name + "?options=" + urllib.parse.quote(json.dumps(options), safe="")


class Run:
    """The steps that both servers take, and what came of them."""

    def __init__(self, server):
        self.server, self.seen, self.ids = server, [], {}
        self.http = requests.Session()
        self.root = self.send("POST", "/api/collections/_superusers/auth-with-password",
                              {"identity": SUPERUSER_EMAIL, "password": SUPERUSER_PASSWORD}).json()["token"]
        self.build()

    def send(self, method, path, body=None, token=None):
        return self.http.request(method, self.server.url + path, json=body, headers={"Authorization": token} if token else {}, timeout=30)

    def admin(self, method, path, body=None):
        answer = self.send(method, path, body, self.root)
        assert answer.status_code < 300, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def build(self):
        text = lambda name, **more: {"name": name, "type": "text", **more}
        rule = lambda value: {"listRule": value, "viewRule": value, "createRule": value, "updateRule": value, "deleteRule": value}
        teams = self.admin("POST", "/api/collections", {"name": "teams", "type": "base", **rule(""), "fields": [text("name")]})
        users = self.admin("GET", "/api/collections/users")
        relation = lambda name, to, **more: {"name": name, "type": "relation", "collectionId": to["id"], "maxSelect": 1, **more}
        self.admin("PATCH", "/api/collections/users", {**rule(""), "fields": users["fields"] + [relation("team", teams), text("secret", hidden=True)]})
        self.admin("POST", "/api/collections", {"name": "posts", "type": "base", **rule(""), "fields": [
            text("title"), text("private", hidden=True), {"name": "stars", "type": "number"}, {"name": "data", "type": "json"},
            relation("owner", users), relation("team", teams, cascadeDelete=True)]})
        self.admin("POST", "/api/collections", {"name": "mine", "type": "base", **rule("owner = @request.auth.id"),
                                                "viewRule": "owner = @request.auth.id || title = 'open'", "fields": [text("title"), relation("owner", users)]})
        self.admin("POST", "/api/collections", {"name": "locked", "type": "base", **rule(None), "fields": [text("title")]})
        self.admin("POST", "/api/collections", {"name": "childs", "type": "base", **rule("team.name != ''"), "fields": [text("title"), relation("team", teams, cascadeDelete=True)]})
        self.admin("POST", "/api/collections", {"name": "asked", "type": "base", **rule("@request.query.key = title || @request.headers.x_key = title"), "fields": [text("title")]})
        for name in ("ann", "bob"):
            self.admin("POST", "/api/collections/users/records", {"id": name.ljust(15, "0"), "email": name + "@example.com", "password": "12345678", "passwordConfirm": "12345678", "name": name})
        self.users = {}
        for record in self.admin("GET", "/api/collections/users/records?sort=name")["items"]:
            self.users[record["name"]] = record["id"]
        self.ann, self.bob = self.sign_in("ann"), self.sign_in("bob")

    def sign_in(self, name, password="12345678"):
        return self.send("POST", "/api/collections/users/auth-with-password", {"identity": name + "@example.com", "password": password}).json()["token"]

    def connect(self, *topics, token=None, **more):
        client = Events(self.server.port, **more)
        if topics:
            answer = client.subscribe(list(topics), token)
            self.note("subscribe", answer.status_code)
        return client

    def clean(self, value):
        text = json.dumps(value, ensure_ascii=False, sort_keys=False)
        text = ID.sub(lambda match: self.ids.setdefault(match.group(0), "id%d" % len(self.ids)), text)
        return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z", "<time>", text)

    def note(self, name, value):
        self.seen.append((name, self.clean(value)))

    def told(self, name, client, count):
        """Notes as many events as are expected; the id must be the client's in each."""
        self.note(name, [[event.get("id") == client.id, event.get("event"), event.get("data")] for event in sorted_events(client.take(count))])

    def told_in_order(self, name, client, *order):
        """The same; `order` has an event's action and its record's title for each. Roost alone has to keep it."""
        start = client.seen
        self.told(name, client, len(order))
        if self.server.label == "roost":
            check(name + ", in the order of the commits", [named(event) for event in client.events[start:client.seen]] == list(order))

    def write(self, method, path, body, token, status):
        answer = self.send(method, "/api/collections/" + path, body, token or self.root)
        assert answer.status_code == status, answer.text
        return answer

    def create(self, collection, token=None, **fields):
        return self.write("POST", "%s/records" % collection, fields, token, 200).json()["id"]

    def update(self, collection, record, token=None, **fields):
        self.write("PATCH", "%s/records/%s" % (collection, record), fields, token, 200)

    def delete(self, collection, record):
        self.write("DELETE", "%s/records/%s" % (collection, record), None, None, 204)


def named(event):
    """An event's action and its record's title, as "create one"."""
    data = json.loads(event["data"])
    return "%s %s" % (data["action"], data["record"].get("title"))


def sorted_events(events):
    """In an order that neither their arrival nor the ids, which each server makes, decide."""
    return sorted(events, key=lambda event: (event["event"], ID.sub("", json.dumps(json.loads(event["data"]), sort_keys=True))))


def connecting(run):
    client = Events(run.server.port)
    wanted = ("content-type", "cache-control", "x-accel-buffering", "transfer-encoding", "vary", "x-frame-options", "content-length")
    run.note("headers", {name: client.headers.get(name) for name in wanted})
    run.note("PB_CONNECT", [client.first["id"] == client.id, client.first["event"], list(client.first), len(client.id),
                            client.first["data"] == json.dumps({"clientId": client.id}, separators=(",", ":"))])
    url = run.server.url + "/api/realtime"

    def post(name, **how):
        answer = requests.post(url, timeout=30, **how)
        run.note(name, [answer.status_code, answer.text.strip(), answer.headers.get("content-type")])
    bodies = [{}, {"clientId": ""}, {"clientId": None}, {"clientId": "x" * 255}, {"clientId": "x" * 256}, {"clientId": 1}, {"clientId": "nope"}, [], "x",
              {"clientId": client.id}, {"clientId": client.id, "subscriptions": None}, {"clientId": client.id, "subscriptions": "x"},
              {"clientId": client.id, "subscriptions": [1]}, {"clientId": client.id, "subscriptions": [None]}, {"clientId": client.id, "subscriptions": [""]},
              {"clientId": client.id, "subscriptions": ["a" * 2500]}, {"clientId": client.id, "subscriptions": ["ok", "a" * 2501]},
              {"clientId": client.id, "subscriptions": ["é" * 1251]}, {"clientId": client.id, "subscriptions": ["a"] * 1000},
              {"clientId": client.id, "subscriptions": ["a"] * 1001}, {"clientId": "x" * 256, "subscriptions": ["a"] * 1001},
              {"clientId": client.id.lower()}, {"clientId": client.id, "subscriptions": ["a" * 2501, "b" * 2501]}]
    for number, body in enumerate(bodies):
        post("body %d" % number, json=body)
    post("malformed", data="{", headers={"Content-Type": "application/json"})
    post("empty", data="")
    post("form", data="clientId=%s&subscriptions=a&subscriptions=b" % client.id, headers={"Content-Type": "application/x-www-form-urlencoded"})
    post("form with one", data="clientId=%s&subscriptions=posts/*" % client.id, headers={"Content-Type": "application/x-www-form-urlencoded"})
    post("multipart", files={"clientId": (None, client.id), "subscriptions": (None, "posts/*")})
    run.create("posts", title="by form")
    run.told("subscribed by form", client, 1)
    client.close()
    wait_until(lambda: client.subscribe([]).status_code == 404)
    run.note("gone", client.subscribe([]).status_code)
    head = requests.request("PUT", url)
    run.note("PUT", head.status_code)


def records(run):
    posts = run.admin("GET", "/api/collections/posts")["id"]
    everything, by_id, bare = run.connect("posts/*"), run.connect(posts + "/*"), run.connect("posts")
    case = run.connect("Posts/*", "posts/", "posts/*/x", "nope/*", "posts//*")
    first = run.create("posts", title="one", private="hidden", stars=3, data={"b": 1, "a": [1, 2]}, owner=run.users["ann"])
    one = run.connect("posts/" + first)
    run.update("posts", first, title="two")
    run.update("posts", first)
    other = run.create("posts", title="other")
    run.delete("posts", first)
    run.delete("posts", other)
    order = ["create one", "update two", "update two", "create other", "delete two", "delete other"]
    run.told_in_order("posts/*", everything, *order)
    run.told_in_order("by id", by_id, *order)
    run.told_in_order("bare", bare, *order)
    run.told_in_order("one", one, "update two", "update two", "delete two")
    run.told("topics about nothing", case, 0)
    one.subscribe(["posts/*"])
    everything.subscribe([])
    third = run.create("posts", title="three")
    run.told("after a change of topics", one, 1)
    run.told("after leaving", everything, 0)
    one.subscribe(["posts/*", "posts/" + third])
    run.update("posts", third, stars=4)
    run.told("both topics", one, 2)
    for client in (everything, by_id, bare, one, case):
        client.close()


def options(run):
    posts = run.create("posts", title="start", owner=run.users["ann"])
    clients = {
        "expand": run.connect(topic("posts/*", query={"expand": "owner,team"})),
        "fields": run.connect(topic("posts/*", query={"fields": "title,stars"})),
        "both": run.connect(topic("posts/*", query={"fields": "title,expand.owner.name", "expand": "owner"})),
        "filter": run.connect(topic("posts/*", query={"filter": "stars > 5"})),
        "filter broken": run.connect(topic("posts/*", query={"filter": "stars >"})),
        "filter hidden": run.connect(topic("posts/*", query={"filter": "private = 'x'"})),
        "filter hidden as root": run.connect(topic("posts/*", query={"filter": "private = 'x'"}), token=run.root),
        "filter request": run.connect(topic("posts/*", query={"filter": "@request.auth.id = ''"})),
        "filter request as root": run.connect(topic("posts/*", query={"filter": "@request.auth.id != ''"}), token=run.root),
        "fields broken": run.connect(topic("posts/*", query={"fields": "title:excerpt("})),
        "root": run.connect("posts/*", token=run.root),
        "malformed": run.connect("posts/*?options=%7Bnope"),
        "other parameters": run.connect("posts/*?a=b&options=" + urllib.parse.quote('{"query":{"fields":"title"}}')),
        "number": run.connect(topic("posts/*", query={"fields": 1, "expand": None})),
        "plus": run.connect("posts/*?options={%22query%22:{%22filter%22:%22stars+>+5%22}}"),
        "one record": run.connect(topic("posts/" + posts, query={"fields": "id"})),
    }
    run.create("posts", title="a", stars=3, private="x", owner=run.users["ann"])
    run.create("posts", title="b", stars=9)
    run.update("posts", posts, stars=7)
    run.delete("posts", posts)
    # The last event that everyone with a working topic gets.
    run.create("posts", title="end", stars=10, private="x")
    expected = {"filter": 4, "filter broken": 0, "filter hidden": 0, "filter hidden as root": 0, "filter request": 0, "one record": 2, "plus": 4}
    for name, client in clients.items():
        events = sorted_events(client.take(expected.get(name, 5)))
        # PocketBase writes picked fields in any order.
        run.note(name, [[event["event"], sorted(json.loads(event["data"])["record"].items()), json.loads(event["data"])["action"]] for event in events])
        client.close()


def rules(run):
    guest, ann, bob, root = run.connect("mine/*"), run.connect("mine/*", token=run.ann), run.connect("mine/*", token=run.bob), run.connect("mine/*", token=run.root)
    first = run.create("mine", title="a", owner=run.users["ann"])
    opened = run.create("mine", title="open", owner=run.users["bob"])
    one = run.connect("mine/" + opened)
    one_hidden = run.connect("mine/" + first)
    run.update("mine", first, owner=run.users["bob"])
    run.update("mine", opened, owner=run.users["ann"])
    run.delete("mine", first)
    run.delete("mine", opened)
    for name, client, count in (("guest", guest, 0), ("ann", ann, 3), ("bob", bob, 3), ("root", root, 6), ("one open", one, 2), ("one hidden", one_hidden, 0)):
        run.told(name, client, count)
        client.close()
    locked, all_locked = run.connect("locked/*"), run.connect("locked/*", token=run.root)
    run.create("locked", title="x")
    run.told("locked to a guest", locked, 0)
    run.told("locked to a superuser", all_locked, 1)
    locked.close()
    all_locked.close()
    asked = {"none": run.connect("asked/*"), "query": run.connect(topic("asked/*", query={"key": "k1"})),
             "header": run.connect(topic("asked/*", headers={"X-Key": "k1"})), "other": run.connect(topic("asked/*", query={"key": "k2"}))}
    run.create("asked", title="k1")
    run.create("asked", title="k2")
    for name, count in (("none", 0), ("query", 1), ("header", 1), ("other", 1)):
        run.told("asked " + name, asked[name], count)
        asked[name].close()


def identities(run):
    watch = {"guest": run.connect("users/*"), "ann": run.connect("users/*", token=run.ann), "root": run.connect("users/*", token=run.root)}
    for number, (person, change) in enumerate([
            ("ann", {"name": "ann", "secret": "s"}), ("bob", {"emailVisibility": True}), ("bob", {"emailVisibility": False})]):
        run.update("users", run.users[person], **change)
        for name, client in watch.items():
            run.told("users to %s, change %d" % (name, number), client, 1)
    for client in watch.values():
        client.close()
    # Who may become whom.
    client = run.connect("mine/*")
    run.note("guest to ann", client.subscribe(["mine/*"], run.ann).status_code)
    run.note("ann again", client.subscribe(["mine/*"], run.ann).status_code)
    for name, token in (("bob", run.bob), ("guest", None), ("root", run.root), ("broken", "nope")):
        answer = client.subscribe(["mine/*"], token)
        run.note("ann to " + name, [answer.status_code, answer.text.strip()])
    run.create("mine", title="still", owner=run.users["ann"])
    run.told("still ann", client, 1)
    # An update of the record counts, a new password ends the identity.
    rule = run.connect("childs/*", token=run.ann)
    carl = run.create("users", email="carl@example.com", password="12345678", passwordConfirm="12345678", name="carl")
    token = run.sign_in("carl")
    other = run.connect("mine/*", token=token)
    run.create("mine", title="c1", owner=carl)
    run.told("carl before", other, 1)
    run.update("users", carl, password="87654321", passwordConfirm="87654321")
    run.create("mine", title="c2", owner=carl)
    run.told("carl after a new password", other, 0)
    token = run.sign_in("carl", "87654321")
    run.note("carl again", other.subscribe(["mine/*"], token).status_code)
    run.create("mine", title="c3", owner=carl)
    run.told("carl anew", other, 1)
    own = run.connect("users/*", token=token)
    run.delete("users", carl)
    # The cascade takes the owner out of his records as well.
    run.told("carl sees himself go", own, 1)
    run.note("carl gone", other.subscribe(["mine/*"], None).status_code)
    for gone in (client, rule, other, own):
        gone.close()


def cascades(run):
    team = run.create("teams", name="red")
    keep = run.create("teams", name="blue")
    childs = [run.create("childs", title="c%d" % number, team=team) for number in range(3)]
    post = run.create("posts", title="in team", team=team)
    kept = run.create("childs", title="kept", team=keep)
    seen, teams, posts = run.connect("childs/*"), run.connect("teams/*"), run.connect("posts/*")
    run.delete("teams", team)
    run.told("cascade", seen, 3)
    run.told("its head", teams, 1)
    run.told("another collection", posts, 1)
    for number in range(4):
        run.create("childs", title="t%d" % number, team=keep)
    run.told_in_order("creates", seen, *("create t%d" % number for number in range(4)))
    run.admin("DELETE", "/api/collections/childs/truncate")
    run.told("truncate", seen, 5)
    for client in (seen, teams, posts):
        client.close()


def expanded_deletes(run):
    """What a delete shows of the records that it names: those that the same cascade has deleted before are gone."""
    team, other = run.create("teams", name="red"), run.create("teams", name="blue")
    child = run.create("childs", title="c", team=team)
    alone = run.create("childs", title="alone", team=other)
    post = run.create("posts", title="p", team=team, owner=run.users["ann"])
    clients = {
        "childs": run.connect(topic("childs/*", query={"expand": "team"})), "one": run.connect(topic("childs/" + child, query={"expand": "team"})),
        "teams": run.connect(topic("teams/*", query={"expand": "childs_via_team,posts_via_team"})),
        "posts": run.connect(topic("posts/*", query={"expand": "team,owner"})),
        "filter": run.connect(topic("posts/*", query={"expand": "team", "filter": "team.name = 'red'"})),
    }
    run.delete("teams", team)
    for name, client in clients.items():
        run.told("cascade, " + name, client, 1)
    run.delete("childs", alone)
    run.told("alone", clients["childs"], 1)
    for client in clients.values():
        client.close()


def batches(run):
    run.admin("PATCH", "/api/settings", {"batch": {"enabled": True, "maxRequests": 50, "timeout": 10}})
    client = run.connect("posts/*")
    body = lambda *requests: {"requests": list(requests)}
    create = lambda title, **more: {"method": "POST", "url": "/api/collections/posts/records", "body": {"title": title, **more}}
    answer = run.send("POST", "/api/batch", body(create("b1"), create("b2"), create("b3")), run.root)
    run.note("batch", answer.status_code)
    run.told_in_order("after the commit", client, "create b1", "create b2", "create b3")
    answer = run.send("POST", "/api/batch", body(create("b4"), create("b5", id="short")), run.root)
    run.note("failed batch", answer.status_code)
    run.told("nothing of a failed one", client, 0)
    made = [item["body"]["id"] for item in run.send("POST", "/api/batch", body(create("b6"), create("b7")), run.root).json()]
    run.told_in_order("two", client, "create b6", "create b7")
    change = [{"method": "PATCH", "url": "/api/collections/posts/records/" + made[0], "body": {"title": "changed"}},
              {"method": "DELETE", "url": "/api/collections/posts/records/" + made[1]}]
    run.note("mixed", run.send("POST", "/api/batch", body(*change), run.root).status_code)
    run.told_in_order("mixed", client, "update changed", "delete b7")
    client.close()


def secrets(run):
    ann = run.connect("mine/*", token=run.ann)
    run.create("mine", title="before", owner=run.users["ann"])
    run.told("before the secret changes", ann, 1)
    run.admin("PATCH", "/api/collections/users", {"authToken": {"secret": "x" * 40}})
    run.create("mine", title="after", owner=run.users["ann"])
    run.told("after the secret changed", ann, 0)
    run.ann = run.sign_in("ann")
    run.note("signed in anew", ann.subscribe(["mine/*"], run.ann).status_code)
    run.create("mine", title="again", owner=run.users["ann"])
    run.told("signed in anew", ann, 1)
    run.admin("PATCH", "/api/collections/mine", {"listRule": ""})
    guest = run.connect("mine/*")
    run.create("mine", title="public", owner=run.users["ann"])
    run.told("a rule that was opened", guest, 1)
    run.admin("PATCH", "/api/collections/mine", {"listRule": None})
    run.create("mine", title="locked", owner=run.users["ann"])
    run.told("a rule that was locked", guest, 0)
    run.admin("PATCH", "/api/collections/mine", {"name": "renamed"})
    run.admin("PATCH", "/api/collections/renamed", {"listRule": ""})
    named = run.connect("renamed/*")
    run.create("renamed", title="new name", owner=run.users["ann"])
    run.told("the old name", guest, 0)
    run.told("the new name", named, 1)
    for client in (ann, guest, named):
        client.close()


STEPS = [connecting, records, options, rules, identities, cascades, expanded_deletes, batches, secrets]


def run_on(command, label, results):
    with tempfile.TemporaryDirectory() as home:
        server = Server(command, home, label)
        try:
            server.upsert_superuser()
            server.spawn()
            server.wait()
            run = Run(server)
            for step in STEPS:
                run.seen = []
                try:
                    step(run)
                except Exception as error:  # what one server cannot do must not hide what follows
                    run.seen.append(("stopped", repr(error)))
                results.setdefault(step.__name__, {})[label] = run.seen
        finally:
            server.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--roost")
    parser.add_argument("--pocketbase")
    parser.add_argument("--show", action="store_true", help="print what PocketBase told")
    options = parser.parse_args()
    results = {}
    threads = [threading.Thread(target=run_on, args=(command, label, results))
               for command, label in ((find_pocketbase(options.pocketbase), "pocketbase"), (find_roost(options.roost), "roost"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for step in STEPS:
        ours, theirs = results.get(step.__name__, {}).get("roost", []), results.get(step.__name__, {}).get("pocketbase", [])
        for number, (name, value) in enumerate(theirs):
            if options.show:
                print(step.__name__, name, value[:2000])
            mine = ours[number] if number < len(ours) else None
            check("%s, %s" % (step.__name__, name), mine == (name, value), "\n   PocketBase %s\n   Roost      %s" % (value[:1500], mine and str(mine[1])[:1500]))
        check(step.__name__ + " is complete", len(ours) == len(theirs))
    import realtimesockets
    sockets_passed, sockets_failed = realtimesockets.run(find_roost(options.roost))
    print("%d passed, %d failed" % (passed + sockets_passed, failed + sockets_failed))
    sys.exit(1 if failed + sockets_failed else 0)


if __name__ == "__main__":
    main()
