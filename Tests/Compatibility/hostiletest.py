"""What a hostile client sends: numbers at their ends, bodies that take work, answers that nobody reads, files that come and go.

    python Tests/Compatibility/hostiletest.py [--roost PATH] [--only NAME]

Each is sent to Roost, which has to answer, soon, and to go on answering others. What PocketBase answers is in the comparing tests."""

import argparse
import concurrent.futures
import json
import os
import socket
import sys
import tempfile
import threading
import time

import requests

from realtimesockets import Socket
from server import SUPERUSER_EMAIL, SUPERUSER_PASSWORD, Server, find_roost

passed = failed = 0


def check(name, holds, seen=None):
    global passed, failed
    if holds:
        passed += 1
    else:
        failed += 1
        print("FAIL %s: %s" % (name, str(seen)[:500]), flush=True)


class Desk:
    def __init__(self, server):
        self.server, self.url, self.http = server, server.url, requests.Session()
        self.root = self.send("POST", "/api/collections/_superusers/auth-with-password",
                              {"identity": SUPERUSER_EMAIL, "password": SUPERUSER_PASSWORD}).json()["token"]

    def send(self, method, path, body=None, token=None, headers=None, **more):
        headers = {**({"Authorization": token} if token else {}), **(headers or {})}
        return self.http.request(method, self.url + path, json=body, headers=headers, timeout=60, **more)

    def collection(self, name, *fields, **more):
        rules = {rule + "Rule": "" for rule in ("list", "view", "create", "update", "delete")}
        answer = self.send("POST", "/api/collections", {"name": name, "type": "base", **rules, "fields": list(fields), **more}, self.root)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def health(self):
        """Seconds until somebody else is answered."""
        began = time.monotonic()
        assert requests.get(self.url + "/api/health", timeout=30).status_code == 200
        return time.monotonic() - began

    def meanwhile(self, job):
        """Runs a job; what it returned, its seconds, and the longest that somebody else waited."""
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            began, worst = time.monotonic(), 0
            running = pool.submit(job)
            while not running.done():
                worst = max(worst, self.health())
                time.sleep(0.01)
            return running.result(), time.monotonic() - began, worst


def numbers(desk):
    """The ends of what a number can be."""
    ends = [str(number) for number in (2**63 - 1, 2**63, -2**63, 2**64, 2**31, -2**31, 10**30, 0, -1)]
    for end in ends:
        for path in ("/api/health?fields=message:excerpt(%s)", "/api/health?fields=message:excerpt(%s,true)", "/api/collections/posts/records?page=%s",
                     "/api/collections/posts/records?perPage=%s", "/api/collections/posts/records?page=%s&perPage=1000", "/api/collections/posts/records?filter=n=%s",
                     "/api/collections/posts/records?filter=n>%s.5e300", "/api/logs?page=%s"):
            answer = desk.send("GET", path % end, token=desk.root)
            check("%s is answered" % (path % end), answer.status_code in (200, 400), answer.text)
        for bytes_ in ("bytes=0-%s", "bytes=%s-", "bytes=-%s", "bytes=1-2,3-%s", "bytes=%s-%s"):
            answer = desk.send("GET", "/small.txt", headers={"Range": bytes_.replace("%s", end)})
            check("the range %s" % bytes_.replace("%s", end), answer.status_code in (200, 206, 416), answer.status_code)
        for header in ("If-Modified-Since", "If-Unmodified-Since", "If-Range"):
            for date in ("Sun, 06 Nov %s 08:49:37 GMT", "Sun, %s Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 %s:49:37 GMT", "Sun, 06 Nov 1994 08:49:%s GMT"):
                answer = desk.send("GET", "/small.txt", headers={header: date % end, "Range": "bytes=0-1"})
                check("%s: %s" % (header, date % end), answer.status_code in (200, 206, 304, 412), answer.status_code)
        for value in (int(end), float(end) * 1e200, end, {"lon": float(end), "lat": 0}):
            answer = desk.send("POST", "/api/collections/posts/records", {"n": value, "place": value, "day": value, "on": value})
            check("the value %s" % str(value)[:30], answer.status_code in (200, 400), answer.text)
    for key in ("batch", "logs", "rateLimits", "backups"):
        for name in {"batch": ("timeout", "maxRequests", "maxBodySize"), "logs": ("maxDays", "minLevel"), "rateLimits": (), "backups": ("cronMaxKeep",)}[key]:
            for end in (2**53, 20_000_000_000, -5):
                desk.send("PATCH", "/api/settings", {key: {name: end}}, desk.root)
                answer = desk.send("POST", "/api/batch", {"requests": [{"method": "POST", "url": "/api/collections/posts/records", "body": {"n": 1}}]}, desk.root)
                check("a batch with %s.%s %s" % (key, name, end), answer.status_code in (200, 400, 403, 413), answer.text)
        desk.send("PATCH", "/api/settings", {"batch": {"enabled": True, "timeout": 3, "maxRequests": 50, "maxBodySize": 0}, "logs": {"maxDays": 5, "minLevel": 0},
                                             "backups": {"cronMaxKeep": 3}}, desk.root)
    check("the server lives", desk.server.alive())


def cascade(desk):
    """Ten thousand records, of which each goes with the one before it."""
    nodes = desk.collection("nodes", {"name": "title", "type": "text"})
    fields = nodes["fields"] + [{"name": "parent", "type": "relation", "collectionId": nodes["id"], "cascadeDelete": True, "maxSelect": 1}]
    indexes = ["CREATE INDEX nodes_parent ON nodes (parent)"]
    assert desk.send("PATCH", "/api/collections/nodes", {"fields": fields, "indexes": indexes}, desk.root).status_code == 200
    answer = desk.send("POST", "/api/sql", {"query": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 10000) INSERT INTO nodes (id, title, parent) "
                                            "SELECT printf('node%011d', n), '', CASE WHEN n > 1 THEN printf('node%011d', n - 1) ELSE '' END FROM c"}, desk.root)
    assert answer.status_code == 200, answer.text
    answer = desk.send("DELETE", "/api/collections/nodes/records/node%011d" % 1)
    left = desk.send("GET", "/api/collections/nodes/records").json()["totalItems"]
    check("a deep cascade goes to its end", answer.status_code == 204 and left == 0, [answer.text, left])
    # One that a cascade reaches twice.
    y, x = desk.collection("y"), desk.collection("x")
    relation = {"type": "relation", "cascadeDelete": True}
    fields = x["fields"] + [{**relation, "name": "tags", "collectionId": y["id"], "maxSelect": 5}, {**relation, "name": "parent", "collectionId": x["id"], "maxSelect": 1}]
    assert desk.send("PATCH", "/api/collections/x", {"fields": fields}, desk.root).status_code == 200
    a, z = [desk.send("POST", "/api/collections/y/records", {}).json()["id"] for _ in range(2)]
    b = desk.send("POST", "/api/collections/x/records", {"tags": [a]}).json()["id"]
    desk.send("POST", "/api/collections/x/records", {"tags": [a, z], "parent": b})
    answer = desk.send("DELETE", "/api/collections/y/records/" + a)
    left = desk.send("GET", "/api/collections/x/records").json()["totalItems"]
    check("a record that a cascade reaches twice", answer.status_code == 204 and left == 0, [answer.text, left])


def work(desk):
    """Bodies and queries that would take work, for anybody to send."""
    def quickly(name, job, seconds=4):
        answer, took, waited = desk.meanwhile(job)
        check(name + " is answered", answer.status_code in (200, 204, 400, 413), answer.text[:200])
        check(name + " takes no time", took < seconds, took)
        check(name + " keeps nobody waiting", waited < 1, waited)

    path = "/api/collections/posts/records"
    keys = {"key %d" % number: 1 for number in range(100_000)}
    quickly("a body of many keys", lambda: requests.post(desk.url + path, json=keys, timeout=60))
    form = {"@jsonPayload": json.dumps(keys)}
    quickly("a form of many keys", lambda: requests.post(desk.url + path, data=form, timeout=60))
    pairs = "&".join("k%d=1" % number for number in range(200_000))
    quickly("a form of many pairs", lambda: requests.post(desk.url + path, data=pairs, headers={"Content-Type": "application/x-www-form-urlencoded"}, timeout=60))
    deep = b'{"a":[' + b",".join([b'{"a":1}'] * 1_000_000) + b"]}"
    quickly("a long body", lambda: requests.post(desk.url + path, data=deep, headers={"Content-Type": "application/json"}, timeout=60), 8)
    quickly("a batch of many keys", lambda: requests.post(
        desk.url + "/api/batch", json={"requests": [{"method": "POST", "url": path, "body": keys}]}, headers={"Authorization": desk.root}, timeout=60), 8)
    for text in ("{" + "," * 300_000, '{"lon":1,' * 30_000, '{"lon":1' + ",1" * 100_000):
        quickly("a place of %s…" % text[:12], lambda: requests.post(desk.url + path, json={"place": text}, timeout=60))
    for expand in (",".join("x%d" % number for number in range(15_000)), ",".join(["a." * 200 + "b"] * 100), "." * 60_000):
        quickly("an expand of %s…" % expand[:12], lambda: requests.get(desk.url + path, params={"expand": expand, "perPage": 1}, timeout=60))

    def pieces(count):
        """Multipart, each byte in a chunk of its own."""
        head = b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\n'
        body = head + b"a" * count + b"\r\n--x--\r\n"
        sending = socket.create_connection(("127.0.0.1", desk.server.port), timeout=60)
        sending.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nTransfer-Encoding: chunked\r\n\r\n" % path.encode())
        sending.sendall(b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
        answer = sending.recv(4096)
        sending.close()
        return answer

    answer, took, waited = desk.meanwhile(lambda: pieces(400_000))
    check("a form in pieces of a byte", answer.startswith(b"HTTP/1.1 ") and took < 6 and waited < 1, [answer[:100], took, waited])


def marks(desk):
    """Runs of combining marks in mixed order, which take long to bring into one form."""
    path, run = desk.url + "/api/collections/posts/records", "a" + "\u0301\u0323" * 100_000
    raw = run.encode()
    json_type, form_type = {"Content-Type": "application/json"}, {"Content-Type": "application/x-www-form-urlencoded"}
    def post(data, headers):
        return requests.post(path, data=data, headers=headers, timeout=60)
    def json_of(value):
        return json.dumps(value, ensure_ascii=False).encode()
    def head(line, name):
        with socket.create_connection(("127.0.0.1", desk.server.port), timeout=30) as client:
            client.sendall(line + b" HTTP/1.1\r\nHost: x\r\n" + name + b"\r\nConnection: close\r\n\r\n")
            return client.recv(100)
    quoted = raw.replace(b"\xcc\x81", b"%CC%81").replace(b"\xcc\xa3", b"%CC%A3")[:600_000]
    part = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\nv\r\n'
    ways = {
        "a key": lambda: post(json_of({run: 1, "b" + run[1:]: 2}), json_type), "a value": lambda: post(json_of({"title": run}), json_type),
        "an escaped key": lambda: post(json.dumps({run: 1}), json_type), "a value of each type": lambda: post(json_of({name: run for name in ("n", "place", "day", "on")}), json_type),
        "a name of a form": lambda: post(quoted + b"=1&b=2", form_type), "a value of a form": lambda: post(b"title=" + quoted, form_type),
        "a payload": lambda: post(b"@jsonPayload=%7B%22title%22:%22" + quoted + b"%22%7D", form_type),
        "names of parts": lambda: post(b"".join(part % raw[:15_001] for _ in range(60)) + b"--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}),
        "a value of a part": lambda: post(part % b"title" + b"--x\r\nContent-Disposition: form-data; name=t2\r\n\r\n" + raw + b"\r\n--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}),
        "a content type": lambda: head(b"POST /api/collections/posts/records", b"Content-Type: " + raw), "a token": lambda: head(b"GET /api/collections/posts/records", b"Authorization: " + raw),
        "a header": lambda: head(b"GET /api/health", b"X-Any: " + raw), "a path": lambda: head(b"GET /api/collections/" + quoted + b"/records", b"X: y"),
        "a name of the query": lambda: head(b"GET /api/collections/posts/records?" + quoted + b"=1&page=1", b"X: y"), "a filter": lambda: head(b"GET /api/collections/posts/records?filter=title='" + quoted + b"'", b"X: y"),
        "an expand": lambda: head(b"GET /api/collections/posts/records?expand=" + quoted, b"X: y"), "fields": lambda: head(b"GET /api/collections/posts/records?fields=" + quoted, b"X: y"),
        "a password": lambda: requests.post(desk.url + "/api/collections/users/records", data=json_of({"password": "$2" + run, "passwordConfirm": "$2" + run}), headers=json_type, timeout=60),
        "a sign-in": lambda: requests.post(desk.url + "/api/collections/users/auth-with-password", data=json_of({"identity": run, "password": run}), headers=json_type, timeout=60),
        "a batch": lambda: requests.post(desk.url + "/api/batch", data=json_of({"requests": [{"method": "POST", "url": "/api/collections/posts/records", "body": {run: 1}}]}), headers=json_type, timeout=60),
    }
    for name, job in ways.items():
        answer, took, waited = desk.meanwhile(job)
        status = answer.status_code if hasattr(answer, "status_code") else int(answer.split()[1])
        check("%s of marks is answered" % name, status in (200, 400, 403, 404, 413, 414, 431), status)
        check("%s of marks takes no time" % name, took < 1 and waited < 0.5, [took, waited])
    client = Socket(desk.server.port)
    client.message("hello")
    began = time.monotonic()
    client.send({"type": "subscribe", "id": 1, "topics": [run, "b" + run[1:]]})
    answer = client.message("error")
    check("a topic of marks", answer["status"] == 400 and time.monotonic() - began < 1, [answer, time.monotonic() - began])
    client.close()
    # What people write stays: letters with a few marks, and those that are known for many.
    for text in ("e\u0323\u0301", "Z" + "\u0300\u0316\u0345" * 15 + "algo", "\u05d1\u05bc\u05b8", "\u0915\u094d\u0937"):
        answer = requests.post(path, json={"title": text})
        check("%s is kept" % ascii(text), answer.status_code == 200 and answer.json()["title"] == text, answer.text)
    # What is as deep as it may be can be read again.
    for depth in (900, 950, 958, 959, 999, 1000):
        made = post(b'{"data":' + b"[" * depth + b"]" * depth + b"}", json_type)
        check("a value %d deep" % depth, made.status_code in (200, 400), made.text[:100])
        answer = requests.get(path, params={"fields": "id,title", "perPage": 500})
        check("lists are answered beside it", answer.status_code == 200, answer.text[:200])


def searches(desk):
    """Searches that find nothing under a rule are answered after a random time, so that what is hidden cannot be measured."""
    desk.collection("secrets", {"name": "title", "type": "text"}, listRule="title = 'open'")
    desk.collection("plain", {"name": "title", "type": "text"})
    for title in ("open", "hidden"):
        desk.send("POST", "/api/collections/secrets/records", {"title": title})
    def times(path, count=24, **more):
        found = []
        for _ in range(count):
            began = time.monotonic()
            answer = desk.send("GET", path, **more)
            assert answer.status_code == 200, answer.text
            found.append(time.monotonic() - began)
        return found
    guess = "/api/collections/secrets/records?filter=title~'hidd'"
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waits = pool.submit(times, guess)
        others = [desk.health() for _ in range(50)]
        waits = waits.result()
    check("three empty searches are answered at once", max(waits[:3]) < 0.1, waits)
    check("later ones wait, each for another time", 0.05 < sum(waits[3:]) / len(waits[3:]) < 0.5 and len({round(wait, 2) for wait in waits[3:]}) > 8, waits)
    check("and nobody else waits", max(others) < 0.1, max(others))
    check("also where the answer does not show it", sum(times(guess + "&fields=page")) / 24 > 0.05)
    client = Socket(desk.server.port)
    client.message("hello")
    answers = [client.ask(type="request", method="GET", path="/api/collections/secrets/records?filter=title~%27hidd%27") for _ in range(8)]
    check("over a WebSocket too all are answered", [answer.get("status") for answer in answers] == [200] * 8, answers[-1])
    client.close()
    for name, path, token in (("what is found", "/api/collections/secrets/records?filter=title~'ope'", None), ("without a filter", "/api/collections/secrets/records?page=9", None),
                              ("without a rule", "/api/collections/plain/records?filter=title='x'", None), ("a superuser", guess + "&sort=title", desk.root)):
        found = times(path, 12, token=token)
        check("%s waits for nothing" % name, max(found) < 0.1, found)


def unread(desk):
    """Answers that nobody reads."""
    with open(os.path.join(desk.server.home, "pb_public", "big.bin"), "wb") as file:
        file.write(os.urandom(1 << 19))
    def resident():
        with open("/proc/%d/status" % desk.server.process.pid) as status:
            return int(status.read().split("VmRSS:")[1].split()[0]) // 1024
    def descriptors():
        return len(os.listdir("/proc/%d/fd" % desk.server.process.pid))
    for name, lines in (("files", b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n"), ("ranges", b"GET /big.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=0-200000,5-300000\r\n\r\n"),
                        ("lists", b"GET /api/collections/posts/records?perPage=1000 HTTP/1.1\r\nHost: x\r\n\r\n")):
        before, memory = descriptors(), resident()
        client = socket.create_connection(("127.0.0.1", desk.server.port), timeout=5)
        try:
            client.settimeout(2)
            client.sendall(lines * 5000)
        except (socket.timeout, OSError):
            pass
        time.sleep(1)
        check("%s that nobody reads take few descriptors" % name, descriptors() < before + 20, [before, descriptors()])
        check("%s that nobody reads take little memory" % name, resident() < memory + 60, [memory, resident()])
        check("and others are answered", desk.health() < 1)
        client.close()
    # Who does read gets all of them.
    client = socket.create_connection(("127.0.0.1", desk.server.port), timeout=20)
    threading.Thread(target=client.sendall, args=(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n" * 60 + b"GET /small.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",)).start()
    got, last = 0, b""
    while True:
        piece = client.recv(1 << 18)
        if not piece:
            break
        got += len(piece)
        last = (last + piece)[-10:]
    check("pipelined files arrive whole and in order", got > 60 << 19 and last == b"0123456789", [got, last])
    client.close()
    # A file that becomes shorter on its way.
    with open(os.path.join(desk.server.home, "pb_public", "shrinks.bin"), "wb") as file:
        file.write(os.urandom(20 << 20))
    client = socket.create_connection(("127.0.0.1", desk.server.port), timeout=20)
    client.sendall(b"GET /shrinks.bin HTTP/1.1\r\nHost: x\r\n\r\n")
    client.recv(1000)
    os.truncate(os.path.join(desk.server.home, "pb_public", "shrinks.bin"), 1000)
    began = time.monotonic()
    try:
        while client.recv(1 << 20):
            pass
    except ConnectionError:
        pass
    check("a file that becomes shorter ends its connection", time.monotonic() - began < 10, time.monotonic() - began)
    client.close()


def ways(desk):
    """Paths that are read in more than one way."""
    for path in ("/%2F%EF%B8%8Fevil.example/%2e%2e", "/%09/evil.example/%2e%2e/%2e%2e", "/%5C%5Cevil.example/%2e%2e", "//evil.example/%2e%2e", "/%2Fevil.example/..%2f"):
        client = socket.create_connection(("127.0.0.1", desk.server.port), timeout=5)
        client.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path.encode())
        answer = b""
        while piece := client.recv(65536):
            answer += piece
        client.close()
        place = next((line[9:].strip() for line in answer.split(b"\r\n") if line.lower().startswith(b"location:")), b"/")
        check("%s leads nowhere else" % path, place[:1] == b"/" and place[1:2] not in (b"/", b"\\", b"\t") and all(33 <= byte < 127 for byte in place), place)
    with open(os.path.join(desk.server.home, "\u0301x"), "w") as file:
        file.write("secret")
    answer = desk.send("GET", "/..%2F%CC%81x")
    check("nothing beside the public folder", "secret" not in answer.text, answer.text)
    rules = [{"label": "/api/health", "duration": 60, "maxRequests": 3}, {"label": "limited:create", "duration": 60, "maxRequests": 3}]
    desk.collection("limited")
    desk.send("PATCH", "/api/settings", {"rateLimits": {"enabled": True, "rules": rules}}, desk.root)
    seen = [requests.get(desk.url + path).status_code for path in ("/api/health", "/%61pi/health", "/api/%68ealth", "/api/healt%68", "/%61pi/%68ealth")]
    check("a path is limited however it is written", seen == [200, 200, 200, 429, 429], seen)
    desk.send("PATCH", "/api/collections/limited", {"name": "renamed"}, desk.root)
    rules = [rule["label"] for rule in desk.send("GET", "/api/settings", token=desk.root).json()["rateLimits"]["rules"]]
    check("a limit goes with its collection's name", rules == ["/api/health", "renamed:create"], rules)
    seen = [requests.post(desk.url + "/api/collections/renamed/records", json={}).status_code for _ in range(4)]
    check("and is in force", seen == [200, 200, 200, 429], seen)
    desk.send("PATCH", "/api/settings", {"rateLimits": {"enabled": False, "rules": []}}, desk.root)


def console(desk):
    """What somebody types into the SQL console."""
    desk.collection("kept", {"name": "title", "type": "text"})
    for text in ("CREATE TEMP TABLE kept AS SELECT * FROM kept", "CREATE TEMPORARY VIEW kept AS SELECT 1", "CREATE TABLE temp.kept (id)",
                 "CREATE TEMP TRIGGER t AFTER INSERT ON kept BEGIN DELETE FROM kept; END", "CREATE VIRTUAL TABLE temp.kept USING fts5(a)"):
        answer = desk.send("POST", "/api/sql", {"query": text}, desk.root)
        check("%s is refused" % text, answer.status_code == 400, answer.text)
    made = desk.send("POST", "/api/collections/kept/records", {"title": "there"}).json()["id"]
    check("what is written is there", desk.send("GET", "/api/collections/kept/records/" + made).status_code == 200)
    person = {"email": "c@example.com", "password": "12345678", "passwordConfirm": "12345678"}
    assert desk.send("POST", "/api/collections/users/records", person, desk.root).status_code == 200
    token = desk.send("POST", "/api/collections/users/auth-with-password", {"identity": "c@example.com", "password": "12345678"}).json()["token"]
    assert desk.send("POST", "/api/collections/users/auth-refresh", {}, token).status_code == 200
    desk.send("POST", "/api/sql", {"query": "UPDATE users SET tokenKey = 'another that is long enough for a key' WHERE email = 'c@example.com'"}, desk.root)
    check("a token whose key was changed by SQL ends at once", desk.send("POST", "/api/collections/users/auth-refresh", {}, token).status_code == 401)


def files(desk):
    """Records that come back under their id, and uploads that come to nothing while a backup is made."""
    desk.collection("papers", {"name": "file", "type": "file", "maxSelect": 1, "maxSize": 1 << 20}, {"name": "title", "type": "text"},
                    indexes=["CREATE UNIQUE INDEX papers_title ON papers (title) WHERE title != ''"])
    path, id = "/api/collections/papers/records", "paper0000000001"
    def create(text, **more):
        return requests.post(desk.url + path, data={"id": id, **more}, files={"file": ("a.txt", text)})
    def file_of(record):
        return requests.get("%s/api/files/papers/%s/%s" % (desk.url, id, record["file"]))
    assert create("one").status_code == 200
    batch = {"requests": [{"method": "DELETE", "url": path + "/" + id}, {"method": "POST", "url": path, "body": {"id": id}}]}
    answer = requests.post(desk.url + "/api/batch", data={"@jsonPayload": json.dumps(batch)}, files={"requests.1.file": ("b.txt", "two")})
    check("a batch that deletes and makes a record again", answer.status_code == 200, answer.text)
    time.sleep(1)
    check("has the new one's file", file_of(answer.json()[1]["body"]).text == "two")
    with open(os.path.join(desk.server.dir, "ballast"), "wb") as file:
        file.write(os.urandom(120 << 20))
    stop = threading.Event()
    def refused():
        while not stop.is_set():
            requests.post(desk.url + path, data={"title": "taken"}, files={"file": ("c.txt", "x")})
    assert requests.post(desk.url + path, data={"title": "taken"}).status_code == 200
    threads = [threading.Thread(target=refused) for _ in range(4)]
    for thread in threads:
        thread.start()
    kept = []
    try:
        for number in range(2):
            backup = threading.Thread(target=lambda: kept.append(desk.send("POST", "/api/backups", {"name": "b%d.zip" % len(kept)}, desk.root)))
            backup.start()
            time.sleep(0.3)
            requests.delete(desk.url + path + "/" + id)
            record = create("three %d" % number).json()
            check("a record made again while a backup is made has its file", file_of(record).text == "three %d" % number)
            backup.join()
            time.sleep(1)
            check("and keeps it", file_of(record).text == "three %d" % number)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    check("backups are made while uploads come to nothing", [answer.status_code for answer in kept] == [204, 204], [answer.text for answer in kept])
    os.unlink(os.path.join(desk.server.dir, "ballast"))
    time.sleep(1)
    there = requests.get(desk.url + path).json()["items"]
    names = sum(1 for record in there if record["file"])
    stored = [name for _, _, found in os.walk(os.path.join(desk.server.dir, "storage")) for name in found if not name.endswith(".attrs")]
    check("nothing is left of what came to nothing", len(stored) == names, [len(stored), names])


def realtime(desk):
    """Who may not see something is not told of it in another way."""
    desk.send("PATCH", "/api/collections/users", {"listRule": "", "viewRule": ""}, desk.root)
    ids = {}
    for name, visible in (("victim", False), ("shown", True)):
        person = {"email": name + "@example.com", "name": "n", "emailVisibility": visible, "password": "12345678", "passwordConfirm": "12345678"}
        ids[name] = desk.send("POST", "/api/collections/users/records", person, desk.root).json()["id"]
    client = Socket(desk.server.port, "/api/realtime?resume=1")
    position = client.message("hello")["position"]
    client.close()
    for id in ids.values():
        assert desk.send("DELETE", "/api/collections/users/records/" + id, token=desk.root).status_code == 204
    for text, expected in (('email ~ "victim@%"', []), ('email != "x@example.com" && email ~ "victim"', []), ('email ~ "shown@%"', ["shown"]), ('name = "n"', ["shown", "victim"])):
        client = Socket(desk.server.port, "/api/realtime?resume=1")
        client.message("hello")
        answer = client.ask(type="subscribe", topics=[{"topic": "users/*", "options": {"query": {"filter": text}}}], after=position)
        check("a resume with %s" % text, answer["type"] == "ack", answer)
        told = []
        while (message := client.message("event", "resumed", "gap"))["type"] == "event":
            told.append(message["record"]["id"])
        check("%s tells of deleted ones what it may" % text, sorted(told) == sorted(ids[name] for name in expected), [told, ids])
        client.close()
    desk.send("PATCH", "/api/settings", {"superuserIPs": ["10.0.0.1", "127.0.0.1"]}, desk.root)
    client = Socket(desk.server.port)
    client.message("hello")
    check("a superuser's token from an address of the list", client.ask(type="auth", token=desk.root)["type"] == "ack")
    client.close()
    desk.send("PATCH", "/api/settings", {"superuserIPs": ["10.0.0.1"]}, desk.root)
    client = Socket(desk.server.port)
    client.message("hello")
    answer = client.ask(type="auth", token=desk.root)
    check("and from another one", answer.get("status") == 403, answer)
    client.close()


STEPS = [numbers, cascade, work, marks, searches, unread, ways, console, files, realtime]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--roost")
    parser.add_argument("--only", action="append")
    options = parser.parse_args()
    for step in STEPS:
        if options.only and step.__name__ not in options.only:
            continue
        with tempfile.TemporaryDirectory() as home:
            server = Server(find_roost(options.roost), home, "roost")
            try:
                os.makedirs(os.path.join(home, "pb_public"))
                with open(os.path.join(home, "pb_public", "small.txt"), "w") as file:
                    file.write("0123456789")
                server.upsert_superuser()
                server.spawn()
                server.wait()
                desk = Desk(server)
                assert desk.send("PATCH", "/api/settings", {"batch": {"enabled": True}}, desk.root).status_code == 200
                desk.collection("posts", {"name": "title", "type": "text"}, {"name": "n", "type": "number"}, {"name": "place", "type": "geoPoint"},
                                {"name": "day", "type": "date"}, {"name": "on", "type": "bool"}, {"name": "data", "type": "json"})
                began = time.monotonic()
                step(desk)
                check("%s: the server lives" % step.__name__, server.alive(), server.log())
                print("%s: %.1f s" % (step.__name__, time.monotonic() - began), flush=True)
            finally:
                server.kill()
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
