"""The server under test: started with the faulty disk, spoken to, and looked at from outside."""

import hashlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time

EMAIL, PASSWORD = "root@example.com", "1234567890"


class Answer:
    def __init__(self, status, body, is_json=True):
        self.status, self.body, self.is_json = status, body, is_json
        self.ok = 200 <= status < 300

    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return "%s %s" % (self.status, self.body[:300])


class Roost:
    def __init__(self, program, home):
        self.program, self.home = program, home
        self.data = os.path.join(home, "pb_data")
        self.migrations = os.path.join(home, "pb_migrations")
        self.output = os.path.join(os.path.dirname(home), "output.log")
        self.process = self.port = self.token = self.disk = None
        self.number = 0

    # Life

    def start(self, disk):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        with open(self.output, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "serve", "--dir", self.data, "--http", "127.0.0.1:%d" % self.port, "--loops", "1"],
                stdout=log, stderr=log, env=disk.environment if disk else None)
        for _ in range(400):
            if self.process.poll() is not None:
                break
            try:
                if self.request("GET", "/api/health").status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.01)
        raise SystemExit("the server did not start: %s" % self.log()[-2000:])

    def prepare(self, disk):
        self.disk = disk
        self.command("superuser", "upsert", EMAIL, PASSWORD)
        self.start(disk)
        answer = self.request(
            "POST", "/api/collections/_superusers/auth-with-password", {"identity": EMAIL, "password": PASSWORD})
        self.token = answer.json()["token"]
        # Request logs are written whenever there is time, and would be counted with whatever runs then.
        self.must("PATCH", "/api/settings", {"logs": {"maxDays": 0}, "batch": {"enabled": True}})
        self.must("POST", "/api/collections", {
            "name": "docs", "type": "base", "fields": [
                {"name": "title", "type": "text"}, {"name": "file", "type": "file", "maxSize": 1 << 20}]})
        for number in range(3):
            self.must_upload("POST", "/api/collections/docs/records", "seed %d" % number, b"seed %d" % number)
        self.settle()

    def command(self, *words, disk=None, input=None):
        done = subprocess.run(
            [self.program, *words, "--dir", self.data], capture_output=True, text=True, input=input,
            env=disk.environment if disk else None)
        return done

    def alive(self):
        return self.process.poll() is None

    def await_end(self, seconds):
        try:
            self.process.wait(seconds or 0.001)
        except subprocess.TimeoutExpired:
            pass

    def kill(self):
        if self.process and self.alive():
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def in_server(self, operation):
        return operation.in_server

    def log(self):
        with open(self.output, errors="replace") as file:
            return file.read()

    def settle(self):
        """Waits for what goes on after an answer: files that are removed, the log that is emptied."""
        time.sleep(0.01)

    def starts(self):
        """How many servers have come up so far."""
        return self.log().count("Server started at")

    def await_restore(self, starts):
        """Waits until a restore has ended, one way or the other."""
        quiet = 0
        for _ in range(1500):
            time.sleep(0.02)
            if not self.alive():
                return
            try:
                # A restore of something that is not there tells whether one is under way.
                busy = "Try again later" in self.request("POST", "/api/backups/none/restore").body
                under_way = busy or os.path.exists(os.path.join(self.data, "_roost_restore", "journal"))
                quiet = 0 if under_way else quiet + 1
                # It begins a moment after its answer.
                if quiet >= (1 if self.starts() > starts else 8):
                    return
            except (OSError, http.client.HTTPException):
                quiet = 0

    def unique(self, prefix):
        self.number += 1
        return "%s%d" % (prefix, self.number)

    # Requests

    def request(self, method, path, body=None, content_type="application/json"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Authorization": self.token} if self.token else {}
        if body is not None:
            headers["Content-Type"] = content_type
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            is_json = "application/json" in answer.getheader("Content-Type", "")
            if is_json and answer.status >= 400:
                value = json.loads(content)
                is_json = value.get("status") == answer.status and bool(value.get("message")) and "data" in value
            return Answer(answer.status, content.decode("utf-8", "replace"), is_json)
        finally:
            connection.close()

    def attempt(self, *arguments):
        """A request whose connection may break off: then the status is 0."""
        try:
            return self.request(*arguments)
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, repr(error), False)

    def must(self, *arguments):
        answer = self.request(*arguments)
        if not answer.ok:
            raise SystemExit("%s: %s" % (arguments[:2], answer))
        return answer.json() if answer.body else None

    def upload(self, method, path, title, content):
        boundary = "----faults"
        parts = [
            '--%s\r\nContent-Disposition: form-data; name="title"\r\n\r\n%s\r\n' % (boundary, title),
            '--%s\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
            % boundary]
        body = "".join(parts).encode() + content + ("\r\n--%s--\r\n" % boundary).encode()
        return self.attempt(method, path, body, "multipart/form-data; boundary=" + boundary)

    def must_upload(self, *arguments):
        answer = self.upload(*arguments)
        if not answer.ok:
            raise SystemExit("%s: %s" % (arguments[:2], answer))
        return answer.json()

    # The state

    def state(self):
        """All that must not be lost or half done, as the API shows it, and what files there are."""
        state = {}
        for record in self.must("GET", "/api/collections/docs/records?perPage=1000&skipTotal=1")["items"]:
            content = ""
            if record["file"]:
                answer = self.request("GET", "/api/files/docs/%s/%s" % (record["id"], record["file"]))
                content = answer.body if answer.ok else "MISSING %s" % answer
            state["record " + record["id"]] = (record["title"], record["file"], content, record["updated"] if "updated" in record else "")
        # From the database: the server itself notices what a command did only within a second.
        for row in self.rows("SELECT name, type, fields, indexes, listRule, options FROM _collections"):
            state["collection " + row[0]] = row[1:]
        settings = self.must("GET", "/api/settings")
        state["settings"] = json.dumps(settings, sort_keys=True)
        state["tables"] = self.rows("SELECT name, sql FROM sqlite_master ORDER BY name")
        state["migrations"] = self.rows("SELECT file FROM _migrations WHERE file NOT LIKE '%.go' ORDER BY file")
        state["migration files"] = sorted(self.migration_files(state["migrations"]))
        state["backups"] = self.backups()
        return state

    def migration_files(self, applied):
        """A draft whose change was committed counts as the file: it becomes it at the next start."""
        for name in os.listdir(self.migrations) if os.path.isdir(self.migrations) else []:
            if not name.endswith(".draft"):
                yield name
            elif (name[1:-6],) in applied:
                yield name[1:-6]

    def rows(self, sql):
        connection = sqlite3.connect("file:%s/data.db?mode=ro" % self.data, uri=True, timeout=5)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def backups(self):
        folder = os.path.join(self.data, "backups")
        if not os.path.isdir(folder):
            return []
        return [
            (name, hashlib.sha256(open(os.path.join(folder, name), "rb").read()).hexdigest())
            for name in sorted(os.listdir(folder)) if name.endswith(".zip")]

    def strays(self):
        """Files in the folder that nothing refers to."""
        storage, wanted = os.path.join(self.data, "storage"), set()
        for collection, record, file in self.rows(
                "SELECT c.id, d.id, d.file FROM docs d, _collections c WHERE c.name = 'docs' AND d.file != ''"):
            path = os.path.join(storage, collection, record, file)
            wanted |= {path, path + ".attrs"}
        found = {os.path.join(root, name) for root, _, names in os.walk(storage) for name in names}
        left = ["missing " + path for path in wanted - found] + ["stray " + path for path in found - wanted]
        uploads = os.path.join(self.data, "_roost_uploads")
        if os.path.isdir(uploads):
            left += ["stray " + os.path.join(uploads, name) for name in os.listdir(uploads)]
        left += ["stray " + name for name in os.listdir(self.data) if name in ("_roost_restore", "_roost_backup")
                 and os.listdir(os.path.join(self.data, name))]
        left += ["stray " + name for name in (os.listdir(self.migrations) if os.path.isdir(self.migrations) else [])
                 if name.endswith((".tmp", ".draft"))]
        return left
