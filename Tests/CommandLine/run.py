"""Commands and flags as an operator and a script use them, beside the real PocketBase where it has the same.

    python Tests/CommandLine/run.py      (the programs are named by ROOST_BIN and POCKETBASE_BIN)
"""

import difflib
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Compatibility"))
from server import SUPERUSER_EMAIL, SUPERUSER_PASSWORD, Server, find_pocketbase, find_roost  # noqa: E402

import http.client  # noqa: E402

ROOST, POCKETBASE = os.path.abspath(find_roost()), os.path.abspath(find_pocketbase())
passed = failed = 0


def check(what, holds, detail=""):
    global passed, failed
    if holds:
        passed += 1
    else:
        failed += 1
        print("FAIL %s: %s" % (what, detail))


def run(program, *words, cwd=None, input="", env=None):
    return subprocess.run(
        [program, *words], capture_output=True, text=True, cwd=cwd, input=input, timeout=60,
        env=dict(os.environ, **(env or {})))


class Api:
    """A superuser's requests to a running server."""

    def __init__(self, server):
        self.server, self.token = server, None
        self.token = self.send("POST", "/api/collections/_superusers/auth-with-password", {
            "identity": SUPERUSER_EMAIL, "password": SUPERUSER_PASSWORD})[1]["token"]

    def send(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = self.token
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content) if content else None


def started(program, home, *flags):
    server = Server(program, home, os.path.basename(program))
    server.upsert_superuser()
    server.spawn(*flags)
    server.wait()
    return server, Api(server)


# Words and exit codes


def words(work):
    folder = os.path.join(work, "words")
    for line, code in [
            ("superuser upsert a@example.com 1234567890", 0), ("superuser upsert a@example.com", 1),
            ("superuser create a@example.com 1234567890", 1), ("superuser update b@example.com 1234567890", 1),
            ("superuser delete b@example.com", 0), ("superuser delete nobody", 1), ("superuser ips 127.0.0.1", 0),
            ("superuser ips nonsense", 1), ("superuser ips", 0), ("superuser", 0), ("migrate", 0), ("migrate up", 0),
            ("migrate down", 0), ("migrate nonsense", 1), ("migrate create", 1), ("migrate history-sync", 0),
            ("nonsense", 1), ("serve --nonsense", 1), ("serve --http 127.0.0.1:99999", 1), ("--dev=maybe superuser", 1),
            ("superuser --dev=false", 0), ("superuser --automigrate=0 --hooksWatch --hooksPool 3 --indexFallback=f", 0),
            ("superuser --queryTimeout=x", 1), ("--version", 0), ("--help", 0), ("serve --help", 0), ("migrate --help", 0)]:
        results = []
        for program in (POCKETBASE, ROOST):
            dir = os.path.join(folder, os.path.basename(program))
            os.makedirs(dir, exist_ok=True)
            place = [] if line in ("--version", "--help") else ["--dir", os.path.join(dir, "pb_data")]
            done = run(program, *line.split(), *place, cwd=dir)
            results.append(done)
        check("`%s` ends with the same code" % line, results[0].returncode == results[1].returncode == code,
              [(r.returncode, r.stdout[-100:], r.stderr[-200:]) for r in results])
        if code:
            check("`%s` says why" % line, results[1].stderr.strip(), results[1])
    for line in ["superuser upsert x@example.com 1234567890", "superuser delete x@example.com", "superuser ips 10.0.0.1",
                 "superuser ips", "migrate", "migrate history-sync"]:
        outputs = []
        for program in (POCKETBASE, ROOST):
            dir = os.path.join(folder, os.path.basename(program))
            outputs.append(run(program, *line.split(), "--dir", os.path.join(dir, "pb_data"), cwd=dir).stdout.strip())
        check("`%s` says the same" % line, outputs[0] == outputs[1], outputs)
    for flags in (["--dir", "D", "superuser", "upsert", "b@example.com", "1234567890"],
                  ["superuser", "--dir=D", "upsert", "b@example.com", "1234567890"]):
        dir = tempfile.mkdtemp(dir=work)
        done = run(ROOST, *[w.replace("D", "pb_data") if "D" in w else w for w in flags], cwd=dir)
        check("flags may stand anywhere", done.returncode == 0 and os.path.exists(dir + "/pb_data/data.db"), done)
    dir = tempfile.mkdtemp(dir=work)
    os.symlink(ROOST, os.path.join(dir, "pocketbase"))
    os.symlink(os.path.join(os.path.dirname(ROOST), "plugins"), os.path.join(dir, "plugins"))
    run(os.path.join(dir, "pocketbase"), "superuser", "upsert", "b@example.com", "1234567890", cwd="/")
    check("the data folder is beside the program", os.path.exists(dir + "/pb_data/data.db"), os.listdir(dir))
    dir = os.path.join(tempfile.mkdtemp(dir=work), "pb_data")

    def scripted(line):
        done = run(ROOST, *line.split(), "--json", "--dir", dir)
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr
    made, changed = scripted("superuser upsert s@example.com 1234567890")[1], scripted("superuser upsert s@example.com 1234567891")[1]
    check("superusers as JSON", made["change"] == "created" and changed == dict(made, change="updated") and len(made["id"]) == 15
          and made["email"] == "s@example.com", (made, changed))
    check("an update as JSON", scripted("superuser update s@example.com 1234567892") == (0, changed))
    check("another superuser as JSON", scripted("superuser create t@example.com 1234567890")[1]["change"] == "created")
    check("a removal as JSON", scripted("superuser delete s@example.com") == (0, dict(made, change="deleted"))
          and scripted("superuser delete s@example.com") == (0, {"change": "none", "email": "s@example.com"}))
    check("what fails is no JSON", scripted("superuser create t@example.com 1234567890")[0] == 1
          and isinstance(scripted("superuser create t@example.com 1234567890")[1], str))
    check("addresses as JSON", scripted("superuser ips 10.0.0.1 10.1.0.0/16") == (0, {"superuserIPs": ["10.0.0.1", "10.1.0.0/16"]})
          and scripted("superuser ips") == (0, {"superuserIPs": []}))
    check("version as JSON", json.loads(run(ROOST, "version", "--json").stdout)["name"] == "roost")
    for shell in ("bash", "zsh", "fish"):
        script = run(ROOST, "completion", shell).stdout
        check("completions for %s" % shell, "migrate" in script and "superuser" in script and "queryTimeout" in script)
        if shutil.which(shell):
            done = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True)
            check("%s understands them" % shell, done.returncode == 0, done.stderr[:300])
    check("no completions for another shell", run(ROOST, "completion", "tcsh").returncode == 1)


# Migrations


CHANGES = [
    ("POST", "/api/collections", {
        "name": "posts", "type": "base", "listRule": "title != 'a<b>&'", "fields": [
            {"id": "f_title", "name": "title", "type": "text", "required": True, "max": 100},
            {"id": "f_num", "name": "num", "type": "number", "min": 1.5}, {"id": "f_when", "name": "when", "type": "date"}],
        "indexes": ["CREATE INDEX idx_t ON posts (title)"]}),
    ("PATCH", "/api/collections/posts", {
        "viewRule": "", "listRule": None, "fields": [
            {"id": "f_title", "name": "headline", "type": "text", "max": 120},
            {"id": "f_pick", "name": "pick", "type": "select", "values": ["ä", "b"]},
            {"id": "f_num", "name": "num", "type": "number", "min": 1.5}], "indexes": []}),
    ("POST", "/api/collections", {"name": "mytest", "type": "auth"}),
    ("PATCH", "/api/collections/mytest", {
        "otp": {"enabled": True}, "authRule": "verified = true",
        "oauth2": {"enabled": True, "providers": [{"name": "google", "clientId": "a", "clientSecret": "secret"}]}}),
    ("PATCH", "/api/collections/posts", {"name": "articles"}),
    ("PATCH", "/api/collections/articles", {"name": "articles"}),
    ("POST", "/api/collections", {"name": "gone", "fields": [{"id": "f_a", "name": "a", "type": "text"}]}),
    ("DELETE", "/api/collections/gone", None),
    ("POST", "/api/collections", {"name": "x" * 240}),
]


def shape(server):
    """The collections without what each server makes up."""
    with sqlite3.connect(os.path.join(server.dir, "data.db")) as connection:
        rows = connection.execute("SELECT id, name, type, fields, indexes, listRule, viewRule, options FROM _collections "
                                  "WHERE NOT system ORDER BY name").fetchall()
        tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\' "
                                    "AND name NOT LIKE 'sqlite%' ORDER BY name").fetchall()
    connection.close()
    # Secrets are each server's own, and providers are left out of migrations.
    rows = [row[:7] + (re.sub('"secret":"[^"]*"|"providers":\\[[^]]*\\]', "", row[7]),) for row in rows]
    return json.dumps([rows, tables])


def names(folder):
    return [re.sub(r"^\d+", "", name) for name in sorted(os.listdir(folder))]


def migrations(work):
    servers = {}
    for label, program in (("pocketbase", POCKETBASE), ("roost", ROOST)):
        server, api = started(program, os.path.join(work, "auto-" + label))
        for method, path, body in CHANGES:
            status, answer = api.send(method, path, body)
            check("%s %s on %s" % (method, path, label), status in (200, 204), (status, answer))
            if label == "pocketbase":
                # Its files of one second share their number.
                time.sleep(1.01)
        server.stop()
        servers[label] = server
    folders = {label: os.path.join(server.home, "pb_migrations") for label, server in servers.items()}
    # PocketBase cannot write the file whose name is too long, and its client does not hear of it.
    theirs, ours = names(folders["pocketbase"]), [n for n in names(folders["roost"]) if "xxxx" not in n]
    check("the same files are written", theirs == ours, (theirs, ours))
    for a, b in zip(sorted(os.listdir(folders["pocketbase"])), sorted(os.listdir(folders["roost"]))):
        texts = [open(os.path.join(folders[l], n)).read() for l, n in (("pocketbase", a), ("roost", b))]
        check("the text of " + a, texts[0] == texts[1], "".join(difflib.unified_diff(*(t.splitlines(True) for t in texts))))
        check("no secrets in " + b, '"secret"' not in texts[1] and "clientSecret" not in texts[1])
    check("what was written is applied", run(ROOST, "migrate", "pending", "--dir", servers["roost"].dir).stdout == "")
    check("PocketBase agrees", "No new migrations" in run(POCKETBASE, "migrate", "--dir", servers["roost"].dir).stdout)

    # Each program applies and takes back what the other wrote.
    for program, author in ((ROOST, "pocketbase"), (POCKETBASE, "roost"), (ROOST, "roost")):
        home = os.path.join(work, "applied-%s-%s" % (os.path.basename(program), author))
        os.makedirs(home)
        shutil.copytree(folders[author], os.path.join(home, "pb_migrations"))
        server = Server(program, home, "applied")
        done = run(program, "migrate", "up", "--dir", server.dir)
        files = sorted(os.listdir(folders[author]))
        check("%s applies %s's" % (os.path.basename(program), author),
              done.returncode == 0 and [l for l in done.stdout.splitlines() if l] == ["Applied " + f for f in files], done)
        if author == "roost":
            check("the collections are the same", shape(server) == shape(servers[author]),
                  "%s\n%s" % (shape(server), shape(servers[author])))
        down = run(program, "migrate", "down", str(len(files)), "--dir", server.dir, input="y\n")
        check("%s takes them back" % os.path.basename(program),
              [l for l in down.stdout.splitlines() if l] == ["Reverted " + f for f in reversed(files)], down)
        check("nothing is left of them", "articles" not in shape(server) and "mytest" not in shape(server), shape(server))

    # Snapshots, both ways.
    outputs = {}
    for label, program in (("pocketbase", POCKETBASE), ("roost", ROOST)):
        home = os.path.join(work, "snapshot-" + label)
        os.makedirs(home)
        done = run(program, "migrate", "collections", "--dir", servers["roost"].dir, "--migrationsDir", home, input="y\n")
        check("%s writes a snapshot" % label, done.returncode == 0 and names(home) == ["_collections_snapshot.js"], done)
        outputs[label] = open(os.path.join(home, os.listdir(home)[0])).read()
        check("%s says where" % label, re.search(r'Successfully created file "[^"]*_collections_snapshot\.js"', done.stdout), done)
    check("the snapshots are the same", outputs["pocketbase"] == outputs["roost"])
    for program, author in ((ROOST, "pocketbase"), (POCKETBASE, "roost")):
        dir = os.path.join(work, "from-snapshot-" + author, "pb_data")
        done = run(program, "migrate", "--dir", dir, "--migrationsDir", os.path.join(work, "snapshot-" + author))
        check("%s applies %s's snapshot" % (os.path.basename(program), author), done.returncode == 0 and "Applied" in done.stdout, done)


def programs(work):
    home = os.path.join(work, "programs")
    folder = os.path.join(home, "pb_migrations")
    os.makedirs(folder)
    for name, text in {
            "1_first.sql": "-- migrate:up\nCREATE TABLE first (x);\n-- migrate:down\nDROP TABLE first;\n",
            "2_program.js": "migrate((app) => { app.db().newQuery('SELECT 1').execute() })\n",
            "3_last.sql": "CREATE TABLE last (x);\n"}.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    os.makedirs(os.path.join(home, "pb_hooks"))
    with open(os.path.join(home, "pb_hooks", "main.pb.js"), "w") as file:
        file.write("onBootstrap((e) => e.next())\n")
    scripting = any("scripting" in p["id"] and p["state"] in ("ready", "loaded") for p in json.loads(
        run(ROOST, "plugin", "list", "--json", "--dir", os.path.join(home, "pb_data")).stdout)["plugins"])
    done = run(ROOST, "migrate", "up", "--dir", os.path.join(home, "pb_data"))
    if scripting:
        check("a scripting plugin runs the program", done.returncode == 0, done)
        return
    check("what comes before a program is applied", done.returncode == 1 and "Applied 1_first.sql" in done.stdout, done)
    check("the program and what comes after it wait, and that is said",
          "Not applied: 2_program.js" in done.stderr and "Not applied: 3_last.sql" in done.stderr, done)
    server, _ = started(ROOST, home)
    check("the server says so and serves", "Not applied: 2_program.js" in server.log(), server.log())
    check("it says that hooks are not run", "main.pb.js" in server.log(), server.log())
    os.unlink(os.path.join(folder, "2_program.js"))
    answer = run(ROOST, "migrate", "up", "--json", "--dir", server.dir)
    check("a migration is applied beside a running server", json.loads(answer.stdout)["applied"] == ["3_last.sql"], answer)
    check("one without a way back stays", run(ROOST, "migrate", "down", "-y", "--dir", server.dir).returncode == 1)
    check("nothing is done without a yes",
          "cancelled" in run(ROOST, "migrate", "down", "--dir", server.dir, input="n\n").stdout)
    server.stop()
    with open(os.path.join(folder, "4_wrong.sql"), "w") as file:
        file.write("CREATE TABLE wrong (x); INSERT INTO nowhere VALUES (1);")
    failing = run(ROOST, "serve", "--dir", server.dir, "--http", "127.0.0.1:0")
    check("a migration that fails keeps the server from starting",
          failing.returncode == 1 and "4_wrong.sql" in failing.stderr, failing)
    with sqlite3.connect(os.path.join(server.dir, "data.db")) as connection:
        check("and nothing of it is kept", not connection.execute(
            "SELECT 1 FROM sqlite_master WHERE name = 'wrong'").fetchall())
    connection.close()


def beside_server(work):
    """Commands that write while the server does."""
    server, api = started(ROOST, os.path.join(work, "beside"), "--automigrate=false")
    api.send("POST", "/api/collections", {"name": "notes", "listRule": "", "fields": [{"name": "n", "type": "number"}]})
    check("--automigrate=false writes no file", not os.path.exists(os.path.join(server.home, "pb_migrations")))
    commands = [subprocess.Popen(
        [ROOST, "superuser", "upsert", "c%d@example.com" % n, "1234567890", "--dir", server.dir],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for n in range(4)]
    statuses = [api.send("POST", "/api/collections/notes/records", {"n": n})[0] for n in range(200)]
    for command in commands:
        out = command.communicate(timeout=60)[0]
        check("a command beside a busy server works", command.returncode == 0, out)
    check("no write of the server fails meanwhile", set(statuses) == {200}, set(statuses))
    folder = os.path.join(server.home, "pb_migrations")
    os.makedirs(folder)
    with open(os.path.join(folder, "1_made.js"), "w") as file:
        file.write('migrate((app) => {\n  const collection = new Collection({"name":"made","listRule":""});\n\n'
                   '  return app.save(collection);\n}, (app) => {\n'
                   '  const collection = app.findCollectionByNameOrId("made");\n\n  return app.delete(collection);\n})\n')
    check("a migration beside the server", run(ROOST, "migrate", "--dir", server.dir).returncode == 0)
    time.sleep(1.5)
    check("the server knows the collection", api.send("GET", "/api/collections/made/records")[0] == 200)
    check("taken back beside the server", run(ROOST, "migrate", "down", "-y", "--dir", server.dir).returncode == 0)
    time.sleep(1.5)
    check("the server knows that it is gone", api.send("GET", "/api/collections/made/records")[0] == 404)
    check("all records are there", api.send("GET", "/api/collections/notes/records?perPage=1")[1]["totalItems"] == 200)
    report = run(ROOST, "doctor", "--json", "--dir", server.dir, "--http", "127.0.0.1:%d" % server.port)
    found = json.loads(report.stdout)
    check("doctor beside the server is content", report.returncode == 0 and found["errors"] == 0, report)
    check("doctor knows of the server", "process %d" % server.process.pid in report.stdout, report.stdout)
    server.stop()
    with sqlite3.connect(os.path.join(server.dir, "data.db")) as connection:
        check("the database is sound", connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
    connection.close()


def query_timeout(work):
    home = os.path.join(work, "timeout")
    server, api = started(ROOST, home, "--queryTimeout", "1")
    api.send("POST", "/api/collections", {"name": "many", "fields": [{"name": "n", "type": "number"}]})
    api.send("POST", "/api/collections", {
        "name": "slow", "type": "view", "listRule": "",
        "viewQuery": "SELECT a.id, (SELECT COUNT(*) FROM many b, many d WHERE b.n + d.n + a.n = 0) AS c FROM many a"})
    with sqlite3.connect(os.path.join(server.dir, "data.db")) as connection:
        connection.execute("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 4000) "
                           "INSERT INTO many (id, n) SELECT printf('%015d', x), x FROM c")
    connection.close()
    begun = time.monotonic()
    status, body = api.send("GET", "/api/collections/slow/records")
    check("--queryTimeout stops a query", status in (400, 503) and time.monotonic() - begun < 5, (status, body, time.monotonic() - begun))
    check("the server serves on", api.send("GET", "/api/health")[0] == 200)
    server.stop()


# Doctor


def diagnose(folder, *flags):
    done = run(ROOST, "doctor", "--json", "--dir", folder, *flags)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        return done.returncode, {}, done
    findings = {}
    for finding in report["findings"]:
        if finding["state"] != "ok" or finding["check"] not in findings:
            findings[finding["check"]] = (finding["state"], finding["message"], finding["advice"])
    return done.returncode, findings, done


def doctor(work):
    home = os.path.join(work, "doctor")
    folder = os.path.join(home, "pb_data")
    os.makedirs(home)
    code, found, done = diagnose(folder)
    check("no folder", code == 1 and found["data-folder"][0] == "error" and not os.path.exists(folder), done)
    run(ROOST, "superuser", "upsert", "a@example.com", "1234567890", "--dir", folder)
    before = sorted(os.listdir(folder))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        free = "127.0.0.1:%d" % taken.getsockname()[1]
    code, found, done = diagnose(folder, "--http", free)
    check("a good folder", code == 0 and not [f for f in found.values() if f[0] == "error"], done)
    check("nothing is changed by looking", sorted(os.listdir(folder)) == before, os.listdir(folder))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, found, done = diagnose(folder, "--http", "127.0.0.1:%d" % taken.getsockname()[1])
        check("a port in use", code == 1 and found["port"][0] == "error", found)
    code, found, done = diagnose(folder, "--http", "203.0.113.1:80")
    check("a foreign address", code == 1 and found["port"][0] == "error", found)

    def damaged(name, change):
        """A copy of the folder with something wrong in it."""
        copy = os.path.join(work, "doctor-" + name, "pb_data")
        shutil.copytree(folder, copy)
        change(copy)
        return diagnose(copy, "--http", free)

    def sql(*statements):
        def change(copy):
            with sqlite3.connect(os.path.join(copy, "data.db")) as connection:
                for statement in statements:
                    connection.execute(statement)
            connection.close()
        return change

    def truncate(copy):
        with open(os.path.join(copy, "data.db"), "r+b") as file:
            file.seek(4096 * 3)
            file.write(b"\xff" * 4096 * 4)

    code, found, done = damaged("damage", truncate)
    check("a damaged database", code == 1 and found["integrity"][0] == "error" and "backup" in found["integrity"][2], done)
    code, found, done = damaged("text", lambda c: open(os.path.join(c, "data.db"), "w").write("no database" * 500))
    check("no database at all", code == 1, done)
    code, found, done = damaged("missing", lambda c: os.unlink(os.path.join(c, "data.db")))
    check("a missing database", code == 1 and found["database"][0] == "error", done)
    code, found, done = damaged("type", sql(
        "UPDATE _collections SET fields = replace(fields, '\"type\":\"file\"', '\"type\":\"stars\"') WHERE name = 'users'"))
    check("a missing field type", code == 1 and "stars" in found["field-types"][1] and "users" in found["field-types"][1], done)
    code, found, done = damaged("key", sql("UPDATE _params SET value = 'c2VjcmV0' WHERE id = 'settings'"))
    check("settings without their key", code == 1 and "--encryptionEnv" in found["settings"][2], done)
    code, found, done = damaged("newer", sql("INSERT INTO _migrations VALUES ('9999999999_future.go', 1)"))
    check("data of a newer program", code == 0 and found["data-version"][0] == "warning", done)
    code, found, done = damaged("spool", lambda c: open(os.path.join(c, "auxiliary.db-spool-7"), "wb").write(b"x" * 3000))
    check("log lines that wait", code == 0 and found["log-lines"][0] == "ok" and "next start" in found["log-lines"][1], done)
    code, found, done = damaged("nobody", sql("DELETE FROM _superusers"))
    check("no superuser", found["superusers"][0] == "warning", done)

    def pending(copy):
        migrations = os.path.join(os.path.dirname(copy), "pb_migrations")
        os.makedirs(migrations)
        open(os.path.join(migrations, "1_a.sql"), "w").write("SELECT 1;")

    code, found, done = damaged("pending", pending)
    check("pending migrations", code == 0 and found["migrations"][0] == "warning", done)

    def crashed(copy):
        connection = sqlite3.connect(os.path.join(copy, "data.db"))
        connection.execute("CREATE TABLE t (x)")
        connection.commit()
        for suffix in ("", "-wal"):
            shutil.copy(os.path.join(copy, "data.db" + suffix), os.path.join(copy, "kept" + suffix))
        connection.close()
        for suffix in ("", "-wal"):
            os.rename(os.path.join(copy, "kept" + suffix), os.path.join(copy, "data.db" + suffix))
        open(os.path.join(copy, "data.db-journal"), "w").write("x")

    code, found, done = damaged("crashed", crashed)
    check("a log left by a crash", found["wal"][0] == "warning" and "Never delete" in found["wal"][2], done)
    check("a journal left by a crash", found["journals"][0] == "warning", done)

    def restoring(copy):
        os.mkdir(os.path.join(copy, "_roost_restore"))
        open(os.path.join(copy, "_roost_restore", "journal"), "w").write("{}")

    code, found, done = damaged("restoring", restoring)
    check("an interrupted restore", code == 0 and found["journals"][0] == "warning" and "start" in found["journals"][2], done)
    if os.getuid() != 0:
        code, found, done = damaged("rights", lambda c: os.chmod(os.path.join(c, "data.db"), 0o400))
        check("a file that cannot be written", code == 1 and found["permissions"][0] == "error", done)
    code, found, done = damaged("open", lambda c: os.chmod(os.path.join(c, "data.db"), 0o666))
    check("a file that everybody may write", found["permissions"][0] == "warning", done)


def early_end(work):
    """A signal that comes as soon as the port is there is not lost."""
    dir = os.path.join(work, "early", "pb_data")
    for attempt in range(6):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen([ROOST, "serve", "--dir", dir, "--http", "127.0.0.1:%d" % port],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with socket.socket() as link:
                if link.connect_ex(("127.0.0.1", port)) == 0:
                    break
        process.terminate()
        try:
            code = process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = "none"
        check("an early SIGTERM ends the server well", code == 0, code)


def main():
    work = tempfile.mkdtemp(prefix="roost-commands-")
    try:
        for part in (words, migrations, programs, beside_server, query_timeout, doctor, early_end):
            if len(sys.argv) < 2 or sys.argv[1] in part.__name__:
                part(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
