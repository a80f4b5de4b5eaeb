"""What the server does while its disk fails. A job is made for one attempt: it prepares what it needs, performs, can perform again
after a failure, and tells from two states whether its change has taken place, wholly and nothing else."""

import json
import os
import socket
import sqlite3
import tempfile
import time
import zipfile

from roost import Answer


class Operation:
    name = ""
    #: Whether it is also tried with the process killed at each call.
    killable = False
    #: Whether the calls are the server's; otherwise a command makes them.
    in_server = True
    #: Whether an answer of success promises that the change is there.
    promises = True
    #: Whether that holds when the process is killed after it.
    survives = True
    #: Whether the server may end on a disk that fails, to be started again.
    may_end = False
    #: About how many seconds a fault takes.
    cost = 0.03

    def __init__(self, roost):
        self.roost = roost
        self.prepare()

    def prepare(self):
        pass

    def end(self):
        """Clears away what the job has left on purpose."""

    def end_records(self):
        """Removes the records that jobs have made: what is backed up and restored stays small."""
        for record in self.roost.must("GET", "/api/collections/docs/records?perPage=1000&fields=id,title")["items"]:
            if not record["title"].startswith("seed"):
                self.roost.attempt("DELETE", "/api/collections/docs/records/" + record["id"])

    def changed(self, before, after):
        return {key for key in set(before) | set(after) if before.get(key) != after.get(key)}


class CreateRecord(Operation):
    name = "record create with file"
    killable = True

    def prepare(self):
        self.title = self.roost.unique("created ")
        self.content = (self.title * 2000).encode()

    def perform(self):
        return self.roost.upload("POST", "/api/collections/docs/records", self.title, self.content)

    def end(self):
        self.end_records()

    def is_done(self, before, after):
        new = [after[key] for key in self.changed(before, after)]
        return len(new) == 1 and new[0][0] == self.title and new[0][2] == self.content.decode()


class UpdateRecord(Operation):
    name = "record update with file"
    killable = True

    def prepare(self):
        made = self.roost.must_upload(
            "POST", "/api/collections/docs/records", self.roost.unique("old "), b"old content" * 500)
        self.id, self.title = made["id"], self.roost.unique("new ")
        self.content = (self.title * 1000).encode()

    def perform(self):
        return self.roost.upload("PATCH", "/api/collections/docs/records/" + self.id, self.title, self.content)

    def end(self):
        self.end_records()

    def is_done(self, before, after):
        row = after.get("record " + self.id)
        return self.changed(before, after) == {"record " + self.id} and row[0] == self.title and row[2] == self.content.decode()


class DeleteRecord(Operation):
    name = "record delete with file"
    killable = True

    def prepare(self):
        self.id = self.roost.must_upload(
            "POST", "/api/collections/docs/records", self.roost.unique("gone "), b"gone")["id"]

    def perform(self):
        return self.roost.attempt("DELETE", "/api/collections/docs/records/" + self.id)

    def is_done(self, before, after):
        return self.changed(before, after) == {"record " + self.id} and "record " + self.id not in after


class Batch(Operation):
    name = "batch of three creates"
    killable = True

    def prepare(self):
        self.titles = [self.roost.unique("batch ") for _ in range(3)]

    def perform(self):
        return self.roost.attempt("POST", "/api/batch", {"requests": [
            {"method": "POST", "url": "/api/collections/docs/records", "body": {"title": title}}
            for title in self.titles]})

    def end(self):
        self.end_records()

    def is_done(self, before, after):
        return sorted(after[key][0] for key in self.changed(before, after)) == sorted(self.titles)


class Collections(Operation):
    """A change of a collection also writes a migration: the collection, its table, the row and the file belong together."""

    def migrates(self, before, after, collections):
        changed = self.changed(before, after)
        return (
            changed - {"tables"} == {"migrations", "migration files"} | {"collection " + name for name in collections}
            and len(after["migrations"]) == len(before["migrations"]) + 1
            and sorted(row[0] for row in after["migrations"]) == after["migration files"])


class CreateCollection(Collections):
    name = "collection create"
    killable = True

    def prepare(self):
        self.collection = self.roost.unique("made")

    def perform(self):
        return self.roost.attempt("POST", "/api/collections", {
            "name": self.collection, "fields": [{"name": "a", "type": "text"}],
            "indexes": ["CREATE INDEX idx_%s ON %s (a)" % (self.collection, self.collection)]})

    def end(self):
        self.roost.attempt("DELETE", "/api/collections/" + self.collection)

    def is_done(self, before, after):
        return self.migrates(before, after, [self.collection])


class ChangeCollection(CreateCollection):
    name = "collection change"

    def prepare(self):
        self.collection = self.roost.unique("changed")
        self.field = self.roost.must("POST", "/api/collections", {
            "name": self.collection, "fields": [{"name": "a", "type": "text"}]})["fields"]

    def perform(self):
        return self.roost.attempt("PATCH", "/api/collections/" + self.collection, {
            "listRule": "", "fields": self.field[:1] + [{"name": "b", "type": "number"}]})


class DeleteCollection(Collections):
    name = "collection delete"
    killable = True

    def prepare(self):
        self.collection = self.roost.unique("dropped")
        self.roost.must("POST", "/api/collections", {"name": self.collection})

    def perform(self):
        return self.roost.attempt("DELETE", "/api/collections/" + self.collection)

    def is_done(self, before, after):
        return self.migrates(before, after, [self.collection]) and "collection " + self.collection not in after


class ChangeSettings(Operation):
    name = "settings change"
    killable = True

    def prepare(self):
        self.app = self.roost.unique("App ")

    def perform(self):
        return self.roost.attempt("PATCH", "/api/settings", {"meta": {"appName": self.app}})

    def is_done(self, before, after):
        return self.changed(before, after) == {"settings"} and json.loads(after["settings"])["meta"]["appName"] == self.app


class CommandAnswer:
    def __init__(self, done):
        self.ok = done.returncode == 0
        # The checks are the same as for requests: an error is told, and told as such.
        self.is_json = done.returncode == 1 and done.stderr.strip() != "" and "Fatal" not in done.stderr
        self.status = 500 if self.is_json else 0
        self.text = "%s %s %s" % (done.returncode, done.stdout[-200:], done.stderr[-400:])

    def __str__(self):
        return self.text


class Migrate(Operation):
    name = "migrate up, beside the server"
    killable = True
    cost = 0.15
    in_server = False

    def prepare(self):
        self.table = self.roost.unique("migrated_")
        os.makedirs(self.roost.migrations, exist_ok=True)
        number = 3000000000 + self.roost.number * 10
        collection = {"name": "c_" + self.table, "type": "base", "fields": [{"name": "a", "type": "text"}]}
        self.files = {
            "%d_a.sql" % number: "-- migrate:up\nCREATE TABLE %s (x);\n-- migrate:down\nDROP TABLE %s;\n" % (self.table, self.table),
            "%d_b.js" % (number + 1): "migrate((app) => {\n  const collection = new Collection(%s);\n\n"
            "  return app.save(collection);\n}, (app) => {\n  return null;\n})\n" % json.dumps(collection),
            "%d_c.sql" % (number + 2): "-- migrate:up\nINSERT INTO %s VALUES (1);\n" % self.table,
        }
        for name, text in self.files.items():
            with open(os.path.join(self.roost.migrations, name), "w") as file:
                file.write(text)

    def perform(self):
        return CommandAnswer(self.roost.command("migrate", "up", disk=self.roost.disk))

    def is_done(self, before, after):
        new = {row[0] for row in after["migrations"]} - {row[0] for row in before["migrations"]}
        return (
            new == set(self.files) and self.table in {row[0] for row in after["tables"]}
            and "c_" + self.table in {row[0] for row in after["tables"]}
            and self.roost.rows("SELECT x FROM " + self.table) == [(1,)])


class Revert(Migrate):
    name = "migrate down, beside the server"

    def prepare(self):
        super().prepare()
        for name in list(self.files)[1:]:
            os.unlink(os.path.join(self.roost.migrations, name))
        if self.roost.command("migrate", "up").returncode != 0:
            raise SystemExit("the migration to revert could not be applied")

    def perform(self):
        return CommandAnswer(self.roost.command("migrate", "down", "--yes", disk=self.roost.disk))

    def end(self):
        # It would be applied at the next start.
        os.unlink(os.path.join(self.roost.migrations, list(self.files)[0]))

    def is_done(self, before, after):
        gone = {row[0] for row in before["migrations"]} - {row[0] for row in after["migrations"]}
        return gone == set(list(self.files)[:1]) and self.table not in {row[0] for row in after["tables"]}


class Start(Operation):
    """What starts on a failing disk works when the disk is well again; what cannot ends with a reason."""

    name = "start, and a record create"
    killable = True
    may_end = True
    cost = 0.25

    def prepare(self):
        self.title = self.roost.unique("started ")

    def perform(self):
        self.roost.kill()
        said = len(self.roost.log())
        try:
            self.roost.start(self.roost.disk)
        except SystemExit:
            words = self.roost.log()[said:]
            return Answer(500, words, "Error:" in words and "Fatal" not in words)
        self.roost.disk.heal()
        answer = self.roost.attempt("POST", "/api/collections/docs/records", {"title": self.title})
        # Now that nothing fails, nothing may be refused.
        return answer if answer.ok else Answer(0, answer.body, False)

    def end(self):
        self.end_records()

    def is_done(self, before, after):
        return [after[key][0] for key in self.changed(before, after)] == [self.title]


class Backup(Operation):
    name = "backup"
    killable = True

    def prepare(self):
        self.file = self.roost.unique("backup_") + ".zip"

    def perform(self):
        return self.roost.attempt("POST", "/api/backups", {"name": self.file})

    def is_done(self, before, after):
        new = set(after["backups"]) - set(before["backups"])
        return self.changed(before, after) == {"backups"} and [row[0] for row in new] == [self.file] and self.opens()

    def opens(self):
        """Whether the archive is whole, and the database in it too."""
        with tempfile.TemporaryDirectory() as folder:
            with zipfile.ZipFile(os.path.join(self.roost.data, "backups", self.file)) as archive:
                if archive.testzip() is not None:
                    return False
                archive.extract("data.db", folder)
            with sqlite3.connect(os.path.join(folder, "data.db")) as connection:
                sound = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            connection.close()
        return sound

    def end(self):
        for name, _ in self.roost.backups():
            self.roost.must("DELETE", "/api/backups/" + name)


class Restore(Operation):
    """The answer comes before anything is done; what is wrong stands in the log."""

    name = "restore"
    killable = True
    cost = 0.6
    promises = False
    may_end = True

    def prepare(self):
        self.file = self.roost.unique("restore_") + ".zip"
        self.wanted = self.roost.state()
        self.roost.must("POST", "/api/backups", {"name": self.file})
        self.roost.must_upload("POST", "/api/collections/docs/records", self.roost.unique("after the backup "), b"x" * 9000)

    def perform(self):
        starts = self.roost.starts()
        answer = self.roost.attempt("POST", "/api/backups/%s/restore" % self.file)
        if answer.ok:
            self.roost.await_restore(starts)
        return answer

    def is_done(self, before, after):
        return all(self.wanted[key] == after.get(key) for key in self.wanted if key != "backups") and set(after) == set(self.wanted)

    def end(self):
        for name, _ in self.roost.backups():
            self.roost.must("DELETE", "/api/backups/" + name)


class Logs(Operation):
    """So many requests that their log lines go through the spool. All are answered, and their lines are there when the disk is
    well again; only the end of the process may lose those that were in memory."""

    name = "log lines of a burst"
    killable = True
    cost = 0.5
    survives = False
    count = 160

    def prepare(self):
        self.roost.must("PATCH", "/api/settings", {"logs": {"maxDays": 5}})

    def end(self):
        self.roost.must("PATCH", "/api/settings", {"logs": {"maxDays": 0}})
        # What the change removes is removed before something else is tried.
        time.sleep(0.05)

    def perform(self):
        self.mark = self.roost.unique("burst")
        request = "GET /api/health?%s=%%d&%s HTTP/1.1\r\nHost: a\r\n\r\n" % (self.mark, "x" * 2000)
        answers = b""
        try:
            with socket.create_connection(("127.0.0.1", self.roost.port), 10) as link:
                link.sendall("".join(request % number for number in range(self.count)).encode())
                while answers.count(b'"code":200') < self.count:
                    more = link.recv(1 << 20)
                    if not more:
                        break
                    answers += more
        except OSError:
            pass
        # Lines are inserted when there is nothing else to do.
        time.sleep(0.3)
        answered = answers.count(b'"code":200')
        return Answer(200 if answered == self.count else 0, "%d answers" % answered)

    def is_done(self, before, after):
        page = self.roost.must("GET", "/api/logs?perPage=1&fields=items.id,totalItems&filter=data.url~'%s'" % self.mark)
        return after == before and page["totalItems"] == self.count


OPERATIONS = [
    CreateRecord, UpdateRecord, DeleteRecord, Batch, CreateCollection, ChangeCollection, DeleteCollection, ChangeSettings, Logs,
    Migrate, Revert, Start, Backup, Restore,
]
