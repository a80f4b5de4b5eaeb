"""The SQL console, logs, and backups: made while writes go on, taken from one server to the other, refused, and restored across crashes.

    python Tests/Compatibility/opstest.py [--roost PATH] [--pocketbase PATH]"""

import argparse
import concurrent.futures
import contextlib
import io
import json
import os
import random
import re
import shutil
import socket
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

import requests

from server import SUPERUSER_EMAIL, SUPERUSER_PASSWORD, Server, find_pocketbase, find_roost

passed = failed = 0


def check(name, condition, seen=None):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print("FAIL %s%s" % (name, "" if seen is None else ": %r" % (seen,)), flush=True)


class Session:
    def __init__(self, server):
        self.server = server
        self.http = requests.Session()
        self.sign_in()

    def sign_in(self):
        answer = self.send("POST", "/api/collections/_superusers/auth-with-password", token="",
                           json={"identity": SUPERUSER_EMAIL, "password": SUPERUSER_PASSWORD})
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["token"]

    def send(self, method, path, token=None, **more):
        headers = dict(more.pop("headers", {}))
        token = self.token if token is None else token
        if token:
            headers["Authorization"] = token
        return self.http.request(method, self.server.url + path, headers=headers, timeout=120, **more)

    def make(self, name):
        answer = self.send("POST", "/api/collections", json={
            "name": name, "type": "base", "listRule": "", "createRule": "", "deleteRule": "",
            "fields": [{"name": "n", "type": "number"}, {"name": "text", "type": "text"},
                       {"name": "file", "type": "file", "maxSelect": 1, "maxSize": 10_000_000}]})
        assert answer.status_code == 200, answer.text

    def collections(self):
        answer = self.send("GET", "/api/collections?perPage=100&fields=name,system")
        return sorted(c["name"] for c in answer.json()["items"] if not c["system"]) if answer.status_code == 200 else answer.text

    def file_token(self):
        return self.send("POST", "/api/files/token").json()["token"]

    def download(self, key, **more):
        return self.send("GET", "/api/backups/%s?token=%s" % (key, self.file_token()), token="", **more)

    def upload(self, name, content):
        return self.send("POST", "/api/backups/upload", files={"file": (name, content, "application/zip")})


def restore(session, key):
    # Migrations that were written meanwhile would be applied to what is restored.
    shutil.rmtree(os.path.join(session.server.home, "pb_migrations"), ignore_errors=True)
    try:
        return session.send("POST", "/api/backups/%s/restore" % key)
    except requests.ConnectionError:
        return None  # It may die before it has answered.


class Running:
    """A server on a folder of its own, with a superuser."""

    def __init__(self, command, home, label, *extra):
        self.server = Server(command, os.path.join(home, label), label)
        self.server.upsert_superuser()
        self.server.spawn(*extra)
        try:
            self.server.wait()
            self.session = Session(self.server)
        except BaseException:
            self.server.stop()
            raise

    def __enter__(self):
        return self.session

    def __exit__(self, *_):
        self.server.stop()


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except (requests.RequestException, AssertionError, ValueError, KeyError, OSError):
            pass
        time.sleep(0.05)
    return False


def restored(session, expected, seconds=30):
    """Waits until the server answers with the collections of the backup."""
    def there():
        session.http = requests.Session()
        session.sign_in()
        return [name for name in session.collections() if name != "users"] == expected
    return wait_for(there, seconds)


# What both servers must say alike.

QUERIES = [
    "", "  ", "SELECT 1 AS one", "nope", "SELECT nope", "select n, text, NULL, x'4142', 1.5, 1e20, 123456.5, 1234567.5, 1e-7, 0.1, -0.0001, 'ä' from docs",
    "INSERT INTO docs (id, n) VALUES ('abc', 1)", "UPDATE docs SET n = n + 1", "update docs set n=1; delete from docs where id='abc'; select 1",
    "DELETE FROM docs WHERE 0", "select 1; select 2", "-- c\nselect 1", "PRAGMA table_info(docs)", "pragma user_version=0", "with a as (select 1) select * from a",
    "with a as (select 1) delete from docs where 0", "create table t (a int, b text not null, c, d boolean)", "insert into t values (1,'b',2,true),(3,'d',x'ff',false)",
    "select * from t", "insert into t values (9,'x',9,null) returning a", "SELECT typeof(a), count(*) FROM t", "VACUUM", "select load_extension('x')",
    "select * from docs where nope", "INSERT INTO docs (id) VALUES ('x'),", "select '" + "a" * 5000 + "'", "values (1),(2)", "select 1 where 0",
    "with recursive c(x) as (select 1 union all select x+1 from c limit 1500) select x from c",
    "insert into docs (id) values ('x') ; insert into docs(id) values ('x')", "select * from docs where id='x'", "replace into docs (id) values ('y')",
    "delete from docs where id = 'y'", "select json('[1]')", "select true", "analyze", "select;", "; select 1", "SELECT 1;", "select id from _params",
    "select unknown_func(1)", "select * from (select 1 a, 2 a)", "insert into docs (id) values (1), (2), (3)", "delete from docs",
]


def console(session, note):
    for index, query in enumerate(QUERIES):
        answer = session.send("POST", "/api/sql", json={"query": query})
        answer._content = re.sub(rb'"execTime":\d+', b'"execTime":0', answer.content)
        note("sql %d %s" % (index, query[:60]), answer)
    session.send("POST", "/api/sql", json={"query": "drop table t"})
    note("sql of a number", session.send("POST", "/api/sql", json={"query": 5}))
    note("sql of a form", session.send("POST", "/api/sql?fields=rows", data={"query": "select 1"}))


def logs(session, note_exactly):
    def note(name, answer):
        # PocketBase writes what `fields` picks in any order.
        try:
            answer._content = json.dumps(answer.json(), sort_keys=True).encode()
        except ValueError:
            pass
        note_exactly(name, answer)

    for path in ["/api/health?a=1", "/api/nope", "/api/collections/docs/records?filter=nope"]:
        session.send("GET", path, token="")
    session.send("POST", "/api/collections/docs/records", json={"id": "bad id"})
    fields = "items.level,items.message,items.data.type,items.data.status,items.data.method,items.data.url,items.data.auth,items.data.error"
    shown = {"sort": "message", "fields": fields, "filter": "data.url ~ '?a=1' || data.url ~ 'nope' || (data.method = 'POST' && data.url ~ 'docs')"}
    wait_for(lambda: len(session.send("GET", "/api/logs", params=shown).json()["items"]) >= 4, 10)
    note("logs", session.send("GET", "/api/logs", params=shown))
    item = session.send("GET", "/api/logs", params={**shown, "fields": ""}).json()["items"][0]
    note("log", session.send("GET", "/api/logs/%s?fields=level,message" % item["id"]))
    note("log of none", session.send("GET", "/api/logs/000000000000000"))
    note("logs of failures", session.send("GET", "/api/logs", params={**shown, "filter": "level > 0 && data.status = 404 && data.url = '/api/nope'"}))
    stats = session.send("GET", "/api/logs/stats", params={"filter": "data.url = '/api/nope'"})
    stats._content = re.sub(rb"\d\d:00:00", b"<hour>", stats.content)
    note("stats", stats)
    # A higher level lets go of what is below it.
    session.send("PATCH", "/api/settings", json={"logs": {"minLevel": 4}})
    wait_for(lambda: not session.send("GET", "/api/logs?filter=level<4").json()["items"], 5)
    note("of a lower level", session.send("GET", "/api/logs?filter=level<4&fields=items"))
    note("of a higher level", session.send("GET", "/api/logs", params={**shown, "filter": "data.url = '/api/nope'"}))
    note("clear them", session.send("DELETE", "/api/logs"))
    note("cleared", session.send("GET", "/api/logs?fields=items"))
    session.send("PATCH", "/api/settings", json={"logs": {"minLevel": 0}})

def talk(session):
    seen = []

    def note(name, answer, body=True):
        headers = {k: answer.headers.get(k) for k in ("content-type", "content-disposition", "cache-control", "accept-ranges",
                                                       "content-range", "content-security-policy") if k in answer.headers}
        text = answer.text.rstrip("\n") if body else ""
        if "content-range" in headers:
            headers["content-range"] = re.sub(r"/\d+", "/<n>", headers["content-range"])
        if "content-disposition" in headers:
            headers["content-disposition"] = re.sub(r"\w{11}_[a-z0-9]{10}\.txt", "<name>.txt", headers["content-disposition"])
        text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z", "<time>", text)
        text = re.sub(r"_\d{14}\.zip", "_<time>.zip", text)
        text = re.sub(r'"size":\d+', '"size":<n>', text)
        text = re.sub(r"_[a-z0-9]{10}\.zip", "_<random>.zip", text)
        seen.append((name, [answer.status_code, headers, text]))

    session.make("docs")
    console(session, note)
    logs(session, note)
    session.send("POST", "/api/collections/docs/records", files={"file": ("a.txt", b"content of a"), "n": (None, "1")})
    note("none yet", session.send("GET", "/api/backups"))
    note("one without a name", session.send("POST", "/api/backups", json={}))
    note("one with a name", session.send("POST", "/api/backups", json={"name": "a-1_b.zip"}))
    note("one by a form", session.send("POST", "/api/backups", data={"name": "by-form.zip"}))
    note("the list", session.send("GET", "/api/backups"))
    note("of fields", session.send("GET", "/api/backups?fields=key"))
    answer = session.download("a-1_b.zip")
    note("download", answer, body=False)
    names = sorted(name for name in zipfile.ZipFile(io.BytesIO(answer.content)).namelist() if not name.endswith(("-wal", "-shm", ".d.ts")))
    names = [re.sub(r"/\w{11}_[a-z0-9]{10}\.", "/<name>.", re.sub(r"/(pbc_)?\w+/\w{15}/", "/<collection>/<record>/", name)) for name in names]
    seen.append(("contents", names))
    note("part", session.download("a-1_b.zip", headers={"Range": "bytes=0-1"}))
    note("none of that name", session.download("none.zip"))
    note("not with a record's token", session.send("GET", "/api/backups/a-1_b.zip?token=" + session.token, token=""))
    content = answer.content
    note("upload", session.upload("up.zip", content))
    note("upload of that name", session.upload("up.zip", content))
    note("upload with odd characters", session.upload("My Backup (1).zip", content))
    note("they are listed", session.send("GET", "/api/backups?fields=key"))
    note("delete", session.send("DELETE", "/api/backups/up.zip"))
    note("delete again", session.send("DELETE", "/api/backups/up.zip"), body=False)
    note("restore of none", session.send("POST", "/api/backups/up.zip/restore"))
    for cron in ["@daily", "* * * * *", "nope", ""]:
        note("scheduled " + cron, session.send("PATCH", "/api/settings?fields=backups.cron,data,message", json={"backups": {"cron": cron}}))
        jobs = session.send("GET", "/api/crons").json()
        # Those of signing in come with its plugin.
        seen.append(("crons " + cron, [job for job in jobs if job["id"] not in ("__pbMFACleanup__", "__pbOTPCleanup__")]))
    note("keep none", session.send("PATCH", "/api/settings?fields=backups.cronMaxKeep,data", json={"backups": {"cron": "@daily", "cronMaxKeep": 0}}))
    session.send("PATCH", "/api/settings", json={"backups": {"cron": "0 0 1 1 *", "cronMaxKeep": 2}})
    for _ in range(3):
        before = len(session.send("GET", "/api/backups").json())
        note("backup by the clock", session.send("POST", "/api/crons/__pbAutoBackup__"))
        wait_for(lambda: [b for b in session.send("GET", "/api/backups").json() if b["key"].startswith("@auto")])
        time.sleep(1.2)
    kept = [b["key"] for b in session.send("GET", "/api/backups").json() if b["key"].startswith("@auto")]
    seen.append(("kept of the clock's", [len(kept), [re.sub(r"\d{14}", "<time>", key) for key in kept]]))
    # And back to what a backup holds.
    session.make("later")
    session.send("DELETE", "/api/collections/docs/records/" + session.send("GET", "/api/collections/docs/records").json()["items"][0]["id"])
    note("restore", restore(session, "a-1_b.zip"))
    seen.append(("the data is back", restored(session, ["docs"])))
    record = session.send("GET", "/api/collections/docs/records").json()["items"][0]
    note("with its file", session.send("GET", "/api/files/docs/%s/%s" % (record["id"], record["file"])))
    note("backups are still there", session.send("GET", "/api/backups?fields=key"), body=False)
    return seen, content


def alike(roost, pocketbase, home):
    def run(command, label):
        with Running(command, home, label) as session:
            return talk(session)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.submit(run, pocketbase, "PocketBase"), pool.submit(run, roost, "Roost")
        (theirs, their_zip), (ours, our_zip) = theirs.result(), ours.result()
    for index in range(max(len(theirs), len(ours))):
        a = theirs[index] if index < len(theirs) else ("nothing", "")
        b = ours[index] if index < len(ours) else ("nothing", "")
        check("alike: " + a[0], a == b, {"PocketBase": a, "Roost": b})
    return their_zip, our_zip


def across(command, home, label, archive):
    """A backup of the other server."""
    with Running(command, home, label) as session:
        session.make("own")
        answer = session.upload("other.zip", archive)
        check(label + ": the other's backup is taken", answer.status_code == 204, answer.text)
        restore(session, "other.zip")
        check(label + ": and restored", restored(session, ["docs"]), session.collections())
        record = session.send("GET", "/api/collections/docs/records").json()["items"][0]
        answer = session.send("GET", "/api/files/docs/%s/%s" % (record["id"], record["file"]))
        check(label + ": with its file", answer.content == b"content of a", answer.content)
        answer = session.send("POST", "/api/collections/docs/records", json={"n": 2})
        check(label + ": and can be written to", answer.status_code == 200, answer.text)


def encrypted(roost, pocketbase, home):
    """Folders with encrypted settings: each server restores the other's backup, and nothing is restored without its key."""
    os.environ["OPS_KEY"], os.environ["OPS_OTHER_KEY"] = "k" * 32, "o" * 32
    flags, archives = ("--encryptionEnv", "OPS_KEY"), {}
    for label, command in (("PocketBase", pocketbase), ("Roost", roost)):
        with Running(command, home, "encrypted " + label, *flags) as session:
            answer = session.send("PATCH", "/api/settings", json={
                "meta": {"appName": "Secret of " + label}, "smtp": {"password": "pa55-of-mail"}})
            check("encrypted: %s's settings change" % label, answer.status_code == 200, answer.text)
            session.make("docs")
            session.send("POST", "/api/collections/docs/records", json={"n": 1})
            answer = session.send("POST", "/api/backups", json={"name": "enc.zip"})
            check("encrypted: %s makes a backup" % label, answer.status_code == 204, answer.text)
            archives[label] = session.download("enc.zip").content
        with zipfile.ZipFile(io.BytesIO(archives[label])) as archive:
            check("encrypted: nothing of %s's settings can be read in it" % label,
                  not any(word in archive.read("data.db") for word in (b"Secret of", b"pa55-of-mail")))

    def take(session, label):
        answer = session.upload("enc.zip", archives[label])
        check("encrypted: %s's backup is taken" % label, answer.status_code == 204, answer.text)
        restore(session, "enc.zip")

    for command, name, author in ((roost, "Roost", "PocketBase"), (pocketbase, "PocketBase", "Roost"), (roost, "Roost", "Roost")):
        with Running(command, home, "%s from %s" % (name, author), *flags) as session:
            take(session, author)
            what = "encrypted: %s restores %s's" % (name, author)
            check(what, restored(session, ["docs"]), session.collections())
            settings = session.send("GET", "/api/settings").json()
            check(what + " with its settings", settings["meta"]["appName"] == "Secret of " + author, settings["meta"])
            answer = session.send("PATCH", "/api/settings", json={"meta": {"appName": "Changed"}})
            check(what + ", which can be changed", answer.status_code == 200, answer.text)
    for what, more in (("no key", ()), ("another key", ("--encryptionEnv", "OPS_OTHER_KEY"))):
        with Running(roost, home, "with " + what, *more) as session:
            session.make("own")
            take(session, "PocketBase")
            words = lambda: [item["data"]["error"] for item in session.send(
                "GET", "/api/logs", params={"filter": "message='Failed to restore backup'"}).json()["items"]]
            check("encrypted: with %s nothing is restored, and the log says why" % what, wait_for(words, 10), words())
            check("encrypted: with %s the data stays" % what, session.collections() == ["own", "users"], session.collections())


class RandomBatches:
    """Batches that mostly make sense, for two servers whose records have the same ids."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.ids = ["batch%010d" % n for n in range(12)]
        #: Records that are there now, and whether a batch may be wrong on purpose.
        self.there, self.wild = [], True

    def calm_value(self):
        dice = self.dice
        body = {"title": dice.choice(["abc", "fine", "ä" * 5])}
        if dice.random() < 0.6:
            body["n"] = dice.choice([1, 2.5, -3, 10, "7"])
        if dice.random() < 0.4:
            body["parent"] = dice.choice(self.ids[::2])
        if dice.random() < 0.4:
            body[dice.choice(["tags", "tags+", "tags-"])] = dice.choice(["a", ["b"], []])
        return body

    def value(self):
        if not self.wild:
            return self.calm_value()
        dice, body = self.dice, {}
        if dice.random() < 0.9:
            body["title"] = dice.choice(["abc", "abcdef", "x", "", None, 5, True, "ä" * 5, "t" * 30] + ["fine"] * 12)
        if dice.random() < 0.6:
            body["n"] = dice.choice([1, 2.5, -3, 99, 101, "7", "x", None, True, 1e3] + [10] * 12)
        if dice.random() < 0.4:
            body["parent"] = dice.choice(self.ids + ["missing00000000", "", ["batch0000000001"], None])
        if dice.random() < 0.3:
            body["tags"] = dice.choice([["a"], ["a", "b"], "b", ["c"], [], ["a", "a"], None])
        if dice.random() < 0.2:
            body[dice.choice(["n+", "n-", "tags+", "tags-", "+tags"])] = dice.choice([1, 5, "a", "b", ["a"]])
        if dice.random() < 0.05:
            body[dice.choice(["nope", "created", "collectionId", "expand"])] = "x"
        return body

    def request(self):
        dice = self.dice
        odd = self.wild and dice.random() < 0.15
        kind = dice.choice(["create"] * 5 + ["update"] * 4 + ["upsert"] * 4 + ["delete"] * 2 + ["odd"] * odd)
        name = "pieces" if not self.wild or dice.random() < 0.97 else dice.choice(["nothing", "seen", "users", "locked", "piece%73"])
        path, body = "/api/collections/%s/records" % name, self.value()
        query = dice.choice([""] * 6 + ["?fields=id,title", "?expand=parent", "?expand=parent.parent,nope&fields=*,expand.parent.id", "?fields=&x=1", "?"])
        if kind == "create":
            body["id"] = dice.choice(self.ids + ["short", "has space 00000", "UPPER0000000000"]) if self.wild and dice.random() < 0.2 else "made%011d" % dice.randrange(10**11)
            return {"method": "POST", "url": path + query, "body": body}
        if kind == "upsert":
            body["id"] = dice.choice(self.ids) if dice.random() < 0.8 else "made%011d" % dice.randrange(10**11)
            return {"method": "PUT", "url": path + query, "body": body}
        identity = dice.choice(self.ids if self.wild or not self.there else self.there)
        if kind == "update":
            return {"method": "PATCH", "url": "%s/%s%s" % (path, identity, query), "body": body}
        if kind == "delete":
            return {"method": "DELETE", "url": "%s/%s%s" % (path, identity, query)}
        return dice.choice([
            {"method": "GET", "url": path}, {"method": "POST", "url": path + "/" + identity, "body": body}, {"method": "PUT", "url": path},
            {"method": "post", "url": path, "body": body}, {"method": "POST", "url": path + "/", "body": body}, {"url": path},
            {"method": "DELETE", "url": path}, {"method": "PATCH", "url": path, "body": body}, {"method": "POST", "url": "/api/health"},
            {"method": "POST", "url": "http://x" + path, "body": body}, {"method": "POST", "url": path, "body": body, "headers": {"X-Own": "1"}}])

    def batch(self):
        """The requests and the files for them."""
        self.wild = self.dice.random() < 0.4
        requests, files = [self.request() for _ in range(self.dice.randrange(1, 8))], []
        if self.dice.random() < 0.35:
            for index, _ in enumerate(requests):
                # One spelling for each request: PocketBase takes two of one field in any order, of which one may be refused.
                form = self.dice.choice(["requests.%d.%s", "requests[%d].%s", "requests.%d.%s"])
                for _ in range(self.dice.choice([0, 0, 1, 1, 2])):
                    field = self.dice.choice(["file", "file", "files", "files", "files+"] + ["nope"] * self.wild)
                    size = self.dice.choice([5, 100] + [0, 3000] * self.wild)
                    files.append((form % (index, field), ("f%d.txt" % self.dice.randrange(9), bytes([97 + size % 26]) * size, "text/plain")))
        return requests, files


def random_batches(roost, pocketbase, home, seed, count):
    """The same batches to both: the same answers, and the same records afterwards."""
    def masked(text):
        text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z", "TIME", text)
        # PocketBase gives a file of a batch random characters twice, and picked fields in any order.
        return json.loads(re.sub(r"\bf[0-9a-z]+(_[a-z0-9]{10})*\.txt\b", "FILE", text))

    def seen(session):
        return masked(session.send("GET", "/api/collections/pieces/records?perPage=500&sort=id&skipTotal=1").text.strip())

    with Running(pocketbase, home, "batches there") as theirs, Running(roost, home, "batches here") as ours:
        for session in (theirs, ours):
            session.send("PATCH", "/api/settings", json={"batch": {"enabled": True, "maxRequests": 10, "timeout": 30}})
            for body in (
                    {"id": "pbc_targets0000", "name": "targets", "type": "base", "viewRule": "", "fields": [{"name": "title", "type": "text"}]},
                    {"id": "pbc_pieces00000", "name": "pieces", "type": "base", "listRule": "", "viewRule": "", "createRule": "", "updateRule": "",
                     "deleteRule": "n < 50", "fields": [
                         {"name": "title", "type": "text", "required": True, "min": 3, "max": 20}, {"name": "n", "type": "number", "max": 100},
                         {"name": "parent", "type": "relation", "collectionId": "pbc_targets0000", "maxSelect": 1},
                         {"name": "tags", "type": "select", "values": ["a", "b"], "maxSelect": 2},
                         {"name": "file", "type": "file", "maxSelect": 1, "maxSize": 2000},
                         {"name": "files", "type": "file", "maxSelect": 3, "maxSize": 5000},
                         {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True}]},
                    {"name": "locked", "type": "base", "fields": [{"name": "title", "type": "text"}]},
                    {"name": "seen", "type": "view", "viewQuery": "SELECT id, title FROM pieces"}):
                answer = session.send("POST", "/api/collections", json=body)
                check("batches: a collection", answer.status_code == 200, answer.text)
            for number in range(0, 12, 2):
                session.send("POST", "/api/collections/targets/records", json={"id": "batch%010d" % number, "title": "target %d" % number})
        batches, done = RandomBatches(seed), 0
        for number in range(count):
            requests_, files = batches.batch()
            answers = []
            for session in (theirs, ours):
                token = "" if number % 3 else None
                if files:
                    answer = session.send("POST", "/api/batch", token=token, data={"@jsonPayload": json.dumps({"requests": requests_})}, files=files)
                else:
                    answer = session.send("POST", "/api/batch", token=token, json={"requests": requests_})
                answers.append((answer.status_code, masked(answer.text.strip())))
            check("batch %d of seed %d" % (number, seed), answers[0] == answers[1],
                  {"requests": requests_, "files": [(key, len(file[1])) for key, file in files], "PocketBase": answers[0], "Roost": answers[1]})
            succeeded = answers[0][0] == 200
            if succeeded:
                items = theirs.send("GET", "/api/collections/pieces/records?perPage=500&fields=id&skipTotal=1").json()["items"]
                batches.there = [item["id"] for item in items]
                done += 1
            if succeeded or number % 3 == 0:
                records = [seen(session) for session in (theirs, ours)]
                check("records after batch %d of seed %d" % (number, seed), records[0] == records[1], records)
        check("batches: a third succeeds", done >= count / 3, done)
        # What takes longer than the settings allow comes to nothing.
        answers, times = [], []
        for session in (theirs, ours):
            session.send("PATCH", "/api/settings", json={"batch": {"timeout": 1}})
            answer = session.send("POST", "/api/sql", json={"query": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 7000) "
                                  "INSERT INTO targets (id, title) SELECT printf('slow%011d', n), printf('title %d', n) FROM c"})
            check("batches: rows for a slow rule", answer.status_code == 200, answer.text)
            answer = session.send("POST", "/api/collections", json={
                "name": "slow", "type": "base", "fields": [{"name": "n", "type": "number"}],
                "createRule": "n < 5 || @collection.targets:a.title ?~ @collection.targets:b.id"})
            check("batches: a slow rule", answer.status_code == 200, answer.text)
            began = time.monotonic()
            answer = session.send("POST", "/api/batch", token="", json={"requests": [
                {"method": "POST", "url": "/api/collections/slow/records", "body": {"n": n}} for n in (1, 2, 9, 9, 3)]})
            times.append(time.monotonic() - began)
            answers.append((answer.status_code, answer.json()))
            check("batches: nothing of it is there", session.send("GET", "/api/collections/slow/records").json()["totalItems"] == 0)
            answer = session.send("POST", "/api/batch", token="", json={"requests": [
                {"method": "POST", "url": "/api/collections/pieces/records", "body": {"title": "afterwards"}}]})
            check("batches: others are carried out afterwards", answer.status_code == 200, answer.text)
        check("batches: one that takes too long is refused alike", answers[0] == answers[1], answers)
        check("batches: and in time", times[1] < max(3, times[0] + 1), times)


# Roost alone.

def full_disk(roost, home):
    """A file system that fills up while a backup is made or restored."""
    place = os.path.join(home, "small disk")
    os.makedirs(place)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", place], capture_output=True).returncode:
        return print("full disk: not tried, since no file system can be mounted here", flush=True)
    try:
        with Running(roost, place, "full") as session:
            session.make("own")

            def add(number, size):
                answer = session.send("POST", "/api/collections/own/records", files={"file": ("a.jpg", os.urandom(size))}, data={"n": number})
                check("full disk: a file", answer.status_code == 200, answer.text)
            filler = os.path.join(session.server.dir, "backups", "filler.bin")

            def fill(left):
                with open(filler, "wb") as file:
                    file.write(bytes(os.statvfs(place).f_bavail * os.statvfs(place).f_frsize - left))

            def numbers():
                return sorted(r["n"] for r in session.send("GET", "/api/collections/own/records").json()["items"])

            def reasons():
                return [item["data"]["error"] for item in session.send(
                    "GET", "/api/logs", params={"filter": "message='Failed to restore backup'"}).json()["items"]]
            add(1, 7_000_000)
            answer = session.send("POST", "/api/backups", json={"name": "fits.zip"})
            check("full disk: a backup that fits", answer.status_code == 204, answer.text)
            add(2, 7_000_000)
            fill(5_000_000)
            kept = sorted(os.listdir(os.path.join(session.server.dir, "backups")))
            answer = session.send("POST", "/api/backups", json={"name": "large.zip"})
            check("full disk: a backup that does not is refused", answer.status_code == 507 and "disk is full" in answer.text, answer.text)
            check("full disk: and nothing is left of it", sorted(os.listdir(os.path.join(session.server.dir, "backups"))) == kept
                  and not os.listdir(os.path.join(session.server.dir, "_roost_backup")))
            pid = session.server.process.pid
            restore(session, "fits.zip")
            check("full disk: a restore that does not fit is refused, and the log says why", wait_for(reasons, 10), reasons())
            check("full disk: the server goes on", session.server.alive() and session.server.process.pid == pid)
            check("full disk: nothing is lost", numbers() == [1, 2], numbers())
            add(3, 1000)
            os.unlink(filler)
            restore(session, "fits.zip")
            check("full disk: with room it is restored", wait_for(lambda: numbers() == [1], 20), numbers())
            answer = session.send("POST", "/api/backups", json={"name": "large.zip"})
            check("full disk: and backups are made again", answer.status_code == 204, answer.text)
    finally:
        subprocess.run(["umount", place], capture_output=True)


def refused_sql(session):
    """What would change a connection for those who use it afterwards."""
    for query in ["BEGIN", "COMMIT", "SAVEPOINT x", "ATTACH ':memory:' AS m", "PRAGMA foreign_keys = off", "PRAGMA journal_mode = delete",
                  "select 1; rollback", "delete from own where 0; commit", "PRAGMA writable_schema = on"]:
        answer = session.send("POST", "/api/sql", json={"query": query})
        check("refused: " + query, answer.status_code == 400 and "not authorized" in answer.text, answer.text)
    answer = session.send("POST", "/api/sql", json={"query": "UPDATE own SET n = 1; UPDATE own SET nope = 1"})
    check("a failing statement undoes the others", answer.status_code == 400, answer.text)


def development(roost, home):
    """--dev prints requests and SQL, without colours into a file."""
    with Running(roost, home, "dev", "--dev") as session:
        session.make("own")
        session.send("GET", "/api/nope\x1b[31m")
        session.send("PATCH", "/api/settings", json={"logs": {"minLevel": 8}})
        session.send("GET", "/api/health?shown=1")
        text = session.server.log(1_000_000)
        check("--dev prints requests", "INFO GET /api/health?shown=1" in text, text[-500:])
        check("and why they fail", "ERROR GET /api/nope" in text and "└─ " in text, text[-500:])
        check("and SQL with its values", re.search(r"\[\d+\.\d\dms\] INSERT INTO .*'own'", text), text[-500:])
        check("without colours into a file, and nothing of the client's", "\x1b" not in text)
    with Running(roost, home, "nodev") as session:
        session.send("GET", "/api/health?shown=1")
        check("and not without --dev", "shown=1" not in session.server.log())

def packed(entries, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content, mode in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return out.getvalue()


def hostile(good):
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        data = archive.read("data.db")
        whole = [(name, archive.read(name), 0o100644) for name in archive.namelist()]
    yield "zip-slip", packed(whole + [("../../evil.txt", b"x", 0o100644)])
    yield "zip-slip inside", packed(whole + [("storage/../../../evil.txt", b"x", 0o100644)])
    yield "an absolute name", packed(whole + [("/tmp/roost-evil.txt", b"x", 0o100644)])
    yield "backslashes", packed(whole + [("..\\evil.txt", b"x", 0o100644)])
    yield "a symbolic link", packed([("storage", b"/etc", stat.S_IFLNK | 0o777)] + whole)
    yield "a pipe", packed(whole + [("pipe", b"", stat.S_IFIFO | 0o644)])
    yield "a device", packed(whole + [("null", b"", stat.S_IFCHR | 0o644)])
    yield "a name twice", packed(whole + [("data.db", data, 0o100644)])
    yield "a file where a folder is", packed(whole + [("storage", b"x", 0o100644), ("storage/x/y", b"x", 0o100644)])
    yield "no data.db", packed([("auxiliary.db", data, 0o100644)])
    yield "a data.db that is none", packed([("data.db", b"not a database" * 1000, 0o100644)])
    yield "a damaged data.db", packed([("data.db", data[:8192] + bytes(len(data) - 8192), 0o100644)])
    yield "a short data.db", packed([("data.db", data[:len(data) // 2], 0o100644)])
    yield "an empty archive", packed([])
    yield "a cut archive", good[:len(good) // 2]
    yield "an archive without its end", good[:-10]
    flipped = bytearray(good)
    flipped[len(good) // 3] ^= 0xFF
    yield "a flipped byte", bytes(flipped)
    # An entry that says to be much larger than it is.
    liar = bytearray(packed(whole + [("bomb.bin", bytes(1000), 0o100644)]))
    at = bytes(liar).rindex(b"PK\x01\x02")
    struct.pack_into("<I", liar, at + 24, 0xFFFFFFF0)
    yield "a bomb by its list", bytes(liar)
    liar = bytearray(packed(whole + [("bomb.bin", bytes(10_000_000), 0o100644)]))
    at = bytes(liar).rindex(b"PK\x01\x02")
    struct.pack_into("<I", liar, at + 24, 1000)
    yield "a bomb that its list hides", bytes(liar)
    # Entries that share their bytes.
    body = packed([("data.db", data, 0o100644), ("a", os.urandom(100_000), 0o100644)])
    at = body.rindex(b"PK\x01\x02")
    length = struct.unpack_from("<H", body, at + 28)[0]
    entry, rest = body[at:at + 46 + length], bytearray(body[at + 46 + length:])
    many = b"".join(entry[:46] + bytes([0x61 + i % 26]) for i in range(1, 20))
    total, size = struct.unpack_from("<HHI", rest, 8)[1] + 19, struct.unpack_from("<I", rest, 12)[0] + len(many)
    struct.pack_into("<HHI", rest, 8, total, total, size)
    yield "entries that overlap", body[:at + 46 + length] + many + bytes(rest)
    encrypted = bytearray(packed(whole))
    at = bytes(encrypted).rindex(b"PK\x01\x02")
    struct.pack_into("<H", encrypted, at + 8, struct.unpack_from("<H", encrypted, at + 8)[0] | 1)
    yield "an encrypted entry", bytes(encrypted)


def refusals(roost, home, good):
    with Running(roost, home, "refusals") as session:
        session.make("own")
        session.send("POST", "/api/collections/own/records", json={"n": 7})
        pid = session.server.process.pid
        refused_sql(session)
        names = {}
        for index, (name, archive) in enumerate(hostile(good)):
            key = "h%d.zip" % index
            answer = session.upload(key, archive)
            if answer.status_code != 204:
                # What is no archive at all is refused at once; a file in the folder may still be one.
                with open(os.path.join(session.server.dir, "backups", key), "wb") as file:
                    file.write(archive)
            restore(session, key)
            # While one is at work, nothing else is begun.
            wait_for(lambda: "Try again" not in session.send("POST", "/api/backups", json={"name": "NO"}).text)
            time.sleep(0.05)
            wait_for(lambda: "Try again" not in session.send("POST", "/api/backups", json={"name": "NO"}).text)
            names[key] = name
            check("refused: %s: the data stays" % name, session.collections() == ["own", "users"])
            left = [entry for entry in os.listdir(session.server.dir) if entry.startswith("_roost_restore")]
            check("refused: %s: nothing is left" % name, not left, left)
        def logged():
            items = session.send("GET", "/api/logs", params={"perPage": 100, "filter": "message='Failed to restore backup'"}).json()["items"]
            return {item["data"]["key"]: item["data"]["error"] for item in items}
        wait_for(lambda: set(logged()) == set(names), 10)
        for key, name in names.items():
            check("refused: %s: the log says why" % name, logged().get(key), logged().get(key))
        check("no file came out of its folder", not os.path.exists("/tmp/roost-evil.txt")
              and not any("evil" in name for folder, _, files in os.walk(home) for name in files))
        check("the server never ended", session.server.alive() and session.server.process.pid == pid)
        answer = session.send("GET", "/api/collections/own/records")
        check("and its records are there", [r["n"] for r in answer.json()["items"]] == [7], answer.text)
        for name in ["..", ".", "a.attrs", "x" * 300 + ".zip"]:
            answer = session.upload(name, good)
            check("an upload called %s is refused" % name[:10], answer.status_code in (400, 404), answer.text)
        answer = session.http.post(session.server.url + "/api/backups/upload", headers={"Authorization": session.token},
                                   files={"file": ("large.zip", packed([("a", os.urandom(40 << 20), 0o100644)], zipfile.ZIP_STORED))}, timeout=120)
        check("an upload may be larger than 32 MiB", answer.status_code == 204, answer.text)


def under_load(roost, home):
    """One client writes 1, 2, 3 …; backups made meanwhile hold all of them up to some number."""
    with Running(roost, home, "load") as session:
        session.make("load")
        stop = threading.Event()
        written, problems, files = [0], [], []

        def write():
            http = requests.Session()
            while not stop.is_set():
                n = written[0] + 1
                with_file = {"files": {"file": ("f%d.txt" % n, b"file %d" % n)}, "data": {"n": n}} if n % 10 == 0 else {"json": {"n": n, "text": "t" * 500}}
                answer = http.post(session.server.url + "/api/collections/load/records", timeout=30, **with_file)
                if answer.status_code != 200:
                    problems.append(answer.text)
                    return
                written[0] = n
                if n % 10 == 0:
                    files.append(answer.json()["id"])
                if n % 30 == 0:
                    http.delete(session.server.url + "/api/collections/load/records/" + files.pop(0), timeout=30)

        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(0.5)
        for index in range(5):
            before = written[0]
            answer = session.send("POST", "/api/backups", json={"name": "load%d.zip" % index})
            after = written[0]
            check("a backup under load", answer.status_code == 204, answer.text)
            content = session.download("load%d.zip" % index).content
            with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(io.BytesIO(content)) as archive:
                check("it is whole", archive.testzip() is None)
                archive.extractall(folder)
                database = sqlite3.connect(os.path.join(folder, "data.db"))
                check("its database is whole", database.execute("PRAGMA integrity_check").fetchone() == ("ok",))
                rows = database.execute("SELECT n, id, file, (SELECT id FROM _collections WHERE name = 'load') FROM load ORDER BY n").fetchall()
                numbers = [n for n, *_ in rows]
                largest = numbers[-1]
                gone = set(range(1, int(largest) + 1)) - set(numbers)
                check("and holds what was written before it began", before <= largest <= after + 1, (before, largest, after))
                check("without gaps", all(n % 10 == 0 for n in gone) and len(gone) <= largest // 30 + 1, sorted(gone)[:20])
                missing = [name for _, record, name, collection in rows if name and not os.path.exists(os.path.join(folder, "storage", collection, record, name))]
                check("with every file that its records name", not missing, missing)
                database.close()
        both = [session.http.__class__() for _ in range(2)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = [future.result() for future in [pool.submit(s.post, session.server.url + "/api/backups", headers={"Authorization": session.token}, json={"name": "both%d.zip" % i}, timeout=60) for i, s in enumerate(both)]]
        codes = sorted(a.status_code for a in answers)
        check("of two at once one may be told to wait", codes in ([204, 204], [204, 400]), codes)
        stop.set()
        thread.join()
        check("no write failed", not problems, problems)
        left = os.listdir(os.path.join(session.server.dir, "_roost_backup"))
        check("nothing is left of making them", not left, left)


SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
/* Kills the process at the n-th call that changes names below the folder of a restore; counts across exec in a file. */
static void step(const char *a, const char *b) {
    if (!strstr(a, "_roost_restore") && !(b && strstr(b, "_roost_restore"))) return;
    const char *at = getenv("KILL_AT"), *file = getenv("KILL_COUNT");
    if (!at || !file) return;
    int count = 0;
    FILE *f = fopen(file, "r+");
    if (!f) f = fopen(file, "w+");
    if (!f) return;
    if (fscanf(f, "%d", &count) != 1) count = 0;
    rewind(f);
    fprintf(f, "%d\n", ++count);
    fclose(f);
    if (count == atoi(at)) kill(getpid(), SIGKILL);
}
int rename(const char *a, const char *b) {
    static int (*real)(const char *, const char *);
    if (!real) real = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    step(a, b);
    return real(a, b);
}
int unlink(const char *a) {
    static int (*real)(const char *);
    if (!real) real = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
    step(a, 0);
    return real(a);
}
int rmdir(const char *a) {
    static int (*real)(const char *);
    if (!real) real = (int (*)(const char *))dlsym(RTLD_NEXT, "rmdir");
    step(a, 0);
    return real(a);
}
int mkdir(const char *a, mode_t mode) {
    static int (*real)(const char *, mode_t);
    if (!real) real = (int (*)(const char *, mode_t))dlsym(RTLD_NEXT, "mkdir");
    step(a, 0);
    return real(a, mode);
}
"""


def state_of(folder):
    """What a data folder holds: its collections and the files of its storage."""
    database = sqlite3.connect("file:%s?mode=ro" % os.path.join(folder, "data.db"), uri=True)
    try:
        names = sorted(name for name, in database.execute("SELECT name FROM _collections WHERE system = 0"))
        whole = database.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        database.close()
    files = sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, found in os.walk(os.path.join(folder, "storage")) for name in found)
    return names, files, whole


def killed(roost, home):
    """kill -9 at each step of a restore: the next start has the old data or the new, whole."""
    shim = os.path.join(home, "shim.so")
    with open(os.path.join(home, "shim.c"), "w") as file:
        file.write(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", shim, os.path.join(home, "shim.c"), "-ldl"], check=True)
    base = Server(roost, os.path.join(home, "base"), "base")
    base.upsert_superuser()
    base.spawn()
    base.wait()
    session = Session(base)
    session.make("fresh")
    session.send("POST", "/api/collections/fresh/records", files={"file": ("new.txt", b"new"), "n": (None, "1")})
    session.send("POST", "/api/backups", json={"name": "b.zip"})
    base.stop()
    new = state_of(base.dir)
    base.spawn()
    base.wait()
    session = Session(base)
    session.send("DELETE", "/api/collections/fresh")
    session.make("old")
    session.send("POST", "/api/collections/old/records", files={"file": ("old.txt", b"old"), "n": (None, "1")})
    wait_for(lambda: len(state_of(base.dir)[1]) == 2)
    base.stop()
    old = state_of(base.dir)
    check("the two states differ", old[0] == ["old", "users"] and new[0] == ["fresh", "users"] and old[1] != new[1], (old, new))
    outcomes = []
    at = 0
    while at < 200:
        at += 1
        server = Server(roost, os.path.join(home, "k%d" % at), "kill")
        shutil.copytree(base.dir, server.dir)
        count = os.path.join(server.home, "count")
        environment = {"LD_PRELOAD": shim, "KILL_AT": str(at), "KILL_COUNT": count}
        os.environ.update(environment)
        try:
            server.spawn()
        finally:
            for name in environment:
                del os.environ[name]
        server.wait()
        session = Session(server)
        restore(session, "b.zip")
        done = wait_for(lambda: not server.alive() or restored(session, ["fresh"], 1), 30)
        died = not server.alive()
        server.stop()
        if not died:
            check("a restore that is not killed succeeds", done and state_of(server.dir) == new, state_of(server.dir))
            break
        # The next start, and what it finds.
        server.spawn()
        try:
            server.wait()
        except Exception as error:
            check("killed at step %d: the server starts again" % at, False, error)
            continue
        server.stop()
        state = state_of(server.dir)
        check("killed at step %d: the folder is the old or the new one" % at, state in (old, new), state)
        outcomes.append("old" if state == old else "new")
        left = [name for name in os.listdir(server.dir) if name.startswith("_roost_restore")]
        check("killed at step %d: nothing is left" % at, not left, left)
        shutil.rmtree(server.home)
    check("both ends were seen, the old before the new", outcomes == sorted(outcomes, reverse=True) and {"old", "new"} <= set(outcomes), outcomes)
    print("killed at each of %d steps: %d times the old data, %d times the new" % (len(outcomes), outcomes.count("old"), outcomes.count("new")))


def undone(roost, home):
    """An entry that cannot be moved: the old data stays."""
    shim = os.path.join(home, "shim2.so")
    with open(os.path.join(home, "shim2.c"), "w") as file:
        file.write(SHIM.replace("kill(getpid(), SIGKILL)", "failing = 1").replace("static void step", "static int failing;\n#include <errno.h>\nstatic void step")
                   .replace("step(a, b);\n    return real(a, b);", "step(a, b);\n    if (failing) { failing = 0; errno = EBUSY; return -1; }\n    return real(a, b);"))
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", shim, os.path.join(home, "shim2.c"), "-ldl"], check=True)
    base = os.path.join(home, "base", "pb_data")
    seen = set()
    for at in range(2, 60, 3):
        server = Server(roost, os.path.join(home, "u%d" % at), "undo")
        shutil.copytree(base, server.dir)
        environment = {"LD_PRELOAD": shim, "KILL_AT": str(at), "KILL_COUNT": os.path.join(server.home, "count")}
        os.environ.update(environment)
        try:
            server.spawn()
        finally:
            for name in environment:
                del os.environ[name]
        server.wait()
        session = Session(server)
        restore(session, "b.zip")
        time.sleep(1.0)
        wait_for(lambda: (session.sign_in(), True)[1], 20)
        with open(os.path.join(server.home, "count")) as file:
            count = int(file.read())
        server.stop()
        state = state_of(server.dir)
        check("rename fails at step %d: the folder is the old or the new one" % at, state[0] in (["old", "users"], ["fresh", "users"]) and state[2] == "ok" and len(state[1]) == 2, state)
        seen.add(state[0][0])
        shutil.rmtree(server.home)
        if count < at:
            break
    check("both ends were seen", seen == {"old", "fresh"}, seen)


class LogLoad:
    """Requests that each have an address of their own, as fast as they are answered."""

    PAD = "pad=" + "x" * 1500

    def __init__(self, port, mark, connections=2):
        self.answered, self.stopped, self.mark = [set() for _ in range(connections)], False, mark
        self.threads = [threading.Thread(target=self.work, args=(port, number), daemon=True) for number in range(connections)]
        for thread in self.threads:
            thread.start()

    def work(self, port, number):
        count = 0
        try:
            with socket.create_connection(("127.0.0.1", port), 10) as link:
                while not self.stopped:
                    urls = ["/api/health?%s=%d.%d&%s" % (self.mark, number, count + i, self.PAD) for i in range(40)]
                    count += len(urls)
                    link.sendall("".join("GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % url for url in urls).encode())
                    answers = b""
                    while answers.count(b'"code":200') < len(urls):
                        more = link.recv(1 << 20)
                        if not more:
                            return
                        answers += more
                    self.answered[number].update(urls)
        except OSError:
            pass

    def stop(self):
        self.stopped = True
        for thread in self.threads:
            thread.join()
        return set().union(*self.answered)


def spool_files(folder):
    names = [name for name in os.listdir(folder) if name.startswith("auxiliary.db-spool-")]
    return [os.path.join(folder, name) for name in sorted(names, key=lambda name: int(name.rsplit("-", 1)[1]))]


def spool_size(folder):
    return sum(os.path.getsize(path) for path in spool_files(folder))


def spooled(folder):
    """The addresses of the requests in the spool's whole blocks."""
    found = []
    for path in spool_files(folder):
        with open(path, "rb") as file:
            content = file.read()
        at = 0
        while content[at:at + 4] == b"RLG1":
            size, = struct.unpack_from("<I", content, at + 4)
            at += 20
            end = at + size
            if end > len(content):
                break
            while at < end:
                length, flags = struct.unpack_from("<IB", content, at)
                text, after = at + 24, at + 4 + length
                method = content[text]
                text += 1 + method
                size, shift = 0, 0
                while True:
                    byte = content[text]
                    size |= (byte & 127) << shift
                    text, shift = text + 1, shift + 7
                    if byte < 128:
                        break
                if flags & 1:
                    found.append(content[text:text + size].decode())
                at = after
    return found


def logged(folder, mark):
    with contextlib.closing(sqlite3.connect(os.path.join(folder, "auxiliary.db"), timeout=10)) as database:
        return [row[0][4:] for row in database.execute("SELECT message FROM _logs WHERE message LIKE ?", ("GET /api/health?%s=%%" % mark,))]


def spool(roost, home):
    """Lines of the log that wait in files: none is lost or doubled, whatever becomes of the process."""
    with Running(roost, home, "spool") as session:
        server = session.server
        for number in range(5):
            session.send("GET", "/api/health?right=%d" % number)
            seen = session.send("GET", "/api/logs", params={"filter": "data.url = '/api/health?right=%d'" % number}).json()["items"]
            check("a line is listed right after its request", len(seen) == 1, seen)
        check("and has gone through no file", not spool_files(server.dir))

        def under_load(mark):
            load = LogLoad(server.port, mark)
            check("%s: lines wait in files while the server is busy" % mark, wait_for(lambda: spool_size(server.dir) > 3_000_000, 20), spool_size(server.dir))
            return load

        load = under_load("kill")
        server.kill()
        load.stop()
        waiting = spooled(server.dir)
        before = logged(server.dir, "kill")
        check("killed: lines are in the files", len(waiting) > 500, len(waiting))
        # The end of a file may be torn.
        with open(spool_files(server.dir)[-1], "ab") as file:
            file.write(b"RLG1\xff\xff\x01\x00torn")
        server.spawn()
        server.wait()
        check("killed: the next start inserts them", wait_for(lambda: not spool_files(server.dir), 30), spool_files(server.dir))
        found = logged(server.dir, "kill")
        check("killed: no line is lost", set(waiting) | set(before) == set(found), (len(waiting), len(before), len(found)))
        check("killed: no line is doubled", len(found) == len(set(found)), len(found) - len(set(found)))

        session.http = requests.Session()
        load = under_load("term")
        server.process.terminate()
        server.process.wait(20)
        answered = load.stop()
        waiting, before = spooled(server.dir), logged(server.dir, "term")
        check("ended: every line of an answer is in a file or in the table", answered <= set(waiting) | set(before), len(answered - set(waiting) - set(before)))
        server.spawn()
        server.wait()
        check("ended: the next start inserts what is left", wait_for(lambda: not spool_files(server.dir), 30))
        found = logged(server.dir, "term")
        check("ended: every line is there once", answered <= set(found) and len(found) == len(set(found)), (len(answered - set(found)), len(found)))

        session.http = requests.Session()
        load = under_load("read")
        session.send("GET", "/api/health?during=load")
        seen = session.send("GET", "/api/logs", params={"filter": "data.url = '/api/health?during=load'"}).json()["items"]
        check("under load too, a line is listed right after its request", len(seen) == 1, seen)
        answer = session.send("POST", "/api/backups", json={"name": "spool.zip"})
        names = zipfile.ZipFile(io.BytesIO(session.download("spool.zip").content)).namelist() if answer.ok else answer.text
        check("no such file is in a backup", "auxiliary.db" in names and not any("spool" in name for name in names), names)
        load.stop()
        answer = session.send("DELETE", "/api/logs")
        check("lines are removed, and those in files too", answer.status_code == 204 and not spool_files(server.dir) and not logged(server.dir, "read"), answer.text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--roost")
    parser.add_argument("--pocketbase")
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the random batches")
    parser.add_argument("--batches", type=int, default=60)
    options = parser.parse_args()
    roost, pocketbase = find_roost(options.roost), find_pocketbase(options.pocketbase)
    steps = {
        "alike": lambda: alike(roost, pocketbase, home),
        "batches": lambda: random_batches(roost, pocketbase, home, options.seed, options.batches),
        "encrypted": lambda: encrypted(roost, pocketbase, home),
        "full": lambda: full_disk(roost, home),
        "refusals": lambda: refusals(roost, home, our_zip),
        "development": lambda: development(roost, home),
        "load": lambda: under_load(roost, home),
        "killed": lambda: killed(roost, home),
        "undone": lambda: undone(roost, home),
        "spool": lambda: spool(roost, home),
    }
    with tempfile.TemporaryDirectory(prefix="roost-ops-") as home:
        their_zip, our_zip = None, None
        for name, step in steps.items():
            if options.only and options.only not in name and not (name == "alike" and options.only == "refusals") and not (name == "killed" and options.only == "undone"):
                continue
            began = time.monotonic()
            result = step()
            if name == "alike":
                their_zip, our_zip = result
                across(roost, home, "Roost with PocketBase's", their_zip)
                across(pocketbase, home, "PocketBase with Roost's", our_zip)
            print("%s: %.1f s" % (name, time.monotonic() - began), flush=True)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
