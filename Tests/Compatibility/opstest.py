"""The SQL console, logs, and backups: made while writes go on, taken from one server to the other, refused, and restored across crashes.

    python Tests/Compatibility/opstest.py [--roost PATH] [--pocketbase PATH]"""

import argparse
import concurrent.futures
import io
import json
import os
import re
import shutil
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


# Roost alone.

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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--roost")
    parser.add_argument("--pocketbase")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    roost, pocketbase = find_roost(options.roost), find_pocketbase(options.pocketbase)
    steps = {
        "alike": lambda: alike(roost, pocketbase, home),
        "refusals": lambda: refusals(roost, home, our_zip),
        "development": lambda: development(roost, home),
        "load": lambda: under_load(roost, home),
        "killed": lambda: killed(roost, home),
        "undone": lambda: undone(roost, home),
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
