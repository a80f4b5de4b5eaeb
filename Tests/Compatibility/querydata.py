"""The random data of queryfuzz.py: four related collections, an auth collection, a locked one and views over them.

PocketBase makes the schema over REST; the rows are written with SQLite, as PocketBase stores them."""

import json
import os
import sqlite3

from client import Client
from fixture import TIMES, base, field, relation, rules, select, text
from identities import Identities
from server import SUPERUSER_EMAIL, Server

ROWS = {"people": 7, "labels": 9, "items": 34, "notes": 40, "locked": 3}
WORDS = ["", "a", "A", "ab", "a_b", "a%b", "b", "über", "it's", "back\\slash", "1", "0", "true", "null", "[\"a\"]", "two words",
         "say \"x\"", "2024-01-02", "c", "%", "_", "a\nb"]
DAYS = ["", "2024-01-02 03:04:05.000Z", "2024-02-29 00:00:00.000Z", "2023-12-31 23:59:59.999Z", "1969-07-20 20:17:40.000Z"]
NUMBERS = [0, 1, -1, 2, 2.5, 3, 100, 1e9, -0.25]
DOCUMENTS = [None, True, False, 0, 1, 2.5, "", "a", "1", [], ["a", "b"], {}, {"a": 1}, {"a": {"b": "x", "c": [1, "a", {"d": 2}]}},
             {"a": None, "b": True}, [{"a": 1}, {"a": "b"}], {"a": "", "c": [], "1": "one"}, [[1, 2], [3]]]

PASSWORD = "1234567890"
# Of the password, as quick to check as bcrypt can be.
HASH = "$2a$04$abcdefghijklmnopqrstuuD7OGC204oFYFM9hVAltAsetjjkv0hby"

# The columns that expressions are made of: type, and for relations the target and whether there may be many.
FIELDS = {
    "people": {
        "id": "id", "email": "email", "emailVisibility": "bool", "verified": "bool", "name": "text", "secret": "text",
        "role": "select", "boss": ("relation", "people", False), "badges": ("relation", "labels", True), "born": "date",
        "created": "date",
    },
    "labels": {
        "id": "id", "name": "text", "weight": "number", "parent": ("relation", "labels", False), "data": "json",
        "owner": ("relation", "people", False), "flag": "bool",
    },
    "items": {
        "id": "id", "title": "text", "body": "text", "amount": "number", "count": "number", "flag": "bool", "mail": "email",
        "site": "text", "day": "date", "status": "select", "colors": "selects", "data": "json", "doc": "file", "docs": "files",
        "one": ("relation", "labels", False), "many": ("relation", "labels", True), "author": ("relation", "people", False),
        "vault": ("relation", "locked", False), "place": "geo", "hush": "text", "created": "date", "updated": "date",
    },
    "notes": {
        "id": "id", "text": "text", "score": "number", "item": ("relation", "items", False),
        "items": ("relation", "items", True), "solo": ("relation", "items", False), "author": ("relation", "people", False),
        "colors": "selects",
    },
    "locked": {"id": "id", "text": "text", "item": ("relation", "items", False)},
    "seen": {
        "id": "id", "title": "text", "amount": "number", "flag": "bool", "day": "date", "status": "select", "colors": "selects",
        "data": "json", "one": ("relation", "labels", False), "many": ("relation", "labels", True),
        "author": ("relation", "people", False), "place": "geo", "double": "json", "upper": "json",
    },
    "sums": {"id": "id", "title": "text", "total": "number", "score": "json", "author": ("relation", "people", False),
             "item": ("relation", "items", False)},
}
HIDDEN = {("people", "secret"), ("items", "hush"), ("people", "password"), ("people", "tokenKey")}
BACK = {
    "people": ["people_via_boss", "labels_via_owner", "items_via_author", "notes_via_author", "seen_via_author"],
    "labels": ["labels_via_parent", "items_via_one", "items_via_many", "people_via_badges", "seen_via_many"],
    "items": ["notes_via_item", "notes_via_items", "notes_via_solo", "locked_via_item", "sums_via_item"],
    "locked": ["items_via_vault"],
    "notes": [], "seen": [], "sums": [],
}
BASES = ["people", "labels", "items", "notes", "seen", "sums"]


def record_id(collection, number):
    return "%s%014d" % (collection[0], number)


def definitions(users):
    everybody = rules("")
    yield {"name": "people", "type": "auth", "id": "people000000000", "fields": [
        text("name"), text("secret", hidden=True), select("role", "reader", "editor", "manager"), field("date", "born"), *TIMES,
    ], "authAlert": {"enabled": False}, **everybody}
    yield base("labels", [
        text("name"), field("number", "weight"), field("json", "data"), field("bool", "flag"),
        relation("owner", "people000000000"),
    ], id="labels000000000", **everybody)
    yield base("locked", [text("text")], id="locked000000000", **rules(None))
    yield base("items", [
        text("title"), field("editor", "body"), field("number", "amount"), field("number", "count", onlyInt=True),
        field("bool", "flag"), field("email", "mail"), field("url", "site"), field("date", "day"),
        select("status", "draft", "live", "gone"), select("colors", "red", "green", "blue", "two words", most=4),
        field("json", "data"), field("file", "doc", maxSelect=1), field("file", "docs", maxSelect=5),
        relation("one", "labels000000000"), relation("many", "labels000000000", most=9),
        relation("author", "people000000000"), relation("vault", "locked000000000"), field("geoPoint", "place"),
        text("hush", hidden=True), text("must", required=True), *TIMES,
    ], id="items0000000000", **everybody)
    yield base("notes", [
        text("text"), field("number", "score"), relation("item", "items0000000000"),
        relation("items", "items0000000000", most=9), relation("solo", "items0000000000"),
        relation("author", "people000000000"), select("colors", "red", "green", "blue", "two words", most=4),
        text("must", required=True),
    ], ["CREATE UNIQUE INDEX idx_notes_solo ON notes (solo)"], id="notes0000000000", **everybody)
    yield {"name": "seen", "type": "view", "listRule": "", "viewRule": "", "viewQuery":
           "SELECT id, title, amount, flag, day, status, colors, data, one, many, author, place, (amount * 2) AS double, "
           "UPPER(title) AS upper FROM items"}
    yield {"name": "sums", "type": "view", "listRule": "", "viewRule": "", "viewQuery":
           "SELECT items.id, items.title, items.author, items.id AS item, COUNT(notes.id) AS total, SUM(notes.score) AS score "
           "FROM items LEFT JOIN notes ON notes.item = items.id GROUP BY items.id"}


LATER = {
    "people": [relation("boss", "people000000000"), relation("badges", "labels000000000", most=9)],
    "labels": [relation("parent", "labels000000000")],
    "locked": [relation("item", "items0000000000")],
}


def row(dice, name, number):
    """The stored values of one record; those of the columns that every kind of record has are added by the caller."""
    def ids(target, most):
        # Now and then an id that is not there.
        return [record_id(target, dice.randrange(ROWS[target] + (dice.random() < 0.05)))
                for _ in range(dice.choice([0, 0, 1, 1, 2, 3][:most + 3]))]

    def one(target):
        return (ids(target, 1) or [""])[0]

    def several(target):
        return json.dumps(list(dict.fromkeys(ids(target, 3))))

    def colors():
        return json.dumps(dice.sample(["red", "green", "blue", "two words"], dice.choice([0, 1, 1, 2, 3, 4])))

    def document():
        return json.dumps(dice.choice(DOCUMENTS))

    word, amount, day = lambda: dice.choice(WORDS), lambda: dice.choice(NUMBERS), lambda: dice.choice(DAYS)
    flag = lambda: dice.random() < 0.5
    if name == "people":
        return {"name": word(), "secret": word(), "role": dice.choice(["", "reader", "editor", "manager"]), "born": day(),
                "boss": one("people"), "badges": several("labels"), "emailVisibility": flag(), "verified": flag(),
                "email": "p%d@example.com" % number, "password": HASH, "tokenKey": ("key%d" % number) * 12,
                "created": "2024-03-0%d 00:00:00.000Z" % (number % 9 + 1), "updated": "2024-03-01 00:00:00.000Z"}
    if name == "labels":
        return {"name": word(), "weight": amount(), "data": document(), "flag": flag(), "owner": one("people"),
                "parent": one("labels")}
    if name == "locked":
        return {"text": word(), "item": one("items")}
    if name == "items":
        return {"title": word(), "body": "<p>%s</p>" % word(), "amount": amount(), "count": dice.randrange(-3, 9), "flag": flag(),
                "mail": dice.choice(["", "a@example.com", "B@example.com"]), "site": dice.choice(["", "https://example.com/a"]),
                "day": day(), "status": dice.choice(["", "draft", "live", "gone"]), "colors": colors(), "data": document(),
                "doc": dice.choice(["", "a_0123456789.txt"]), "docs": json.dumps(["b_%d.txt" % n for n in range(dice.randrange(4))]),
                "one": one("labels"), "many": several("labels"), "author": one("people"), "vault": one("locked"),
                "place": json.dumps({"lon": dice.choice([0, 10.5, -70.25, 179]), "lat": dice.choice([0, 45, -33.5, 89])}),
                "hush": word(), "must": "x", "created": "2024-05-%02d 00:00:00.000Z" % (number % 28 + 1),
                "updated": "2024-05-01 00:00:00.000Z"}
    return {"text": word(), "score": amount(), "item": one("items"), "items": several("items"), "author": one("people"),
            "solo": record_id("items", number) if number < ROWS["items"] else "absent%09d" % number, "colors": colors(), "must": "x"}


def build(dice, pocketbase, home):
    """Makes the directory with `pocketbase` below `home` and returns its path."""
    server = Server(pocketbase, home, "query data")
    os.makedirs(server.dir, exist_ok=True)
    server.upsert_superuser()
    server.spawn()
    try:
        server.wait()
        client = Client(server.port)
        identities = Identities(server.dir, {}, SUPERUSER_EMAIL)

        def call(method, path, body=None):
            answer = client.send(method, path, [("Authorization", identities.token("superuser")),
                                                ("Content-Type", "application/json")],
                                 json.dumps(body).encode() if body is not None else None)
            if answer.status >= 300:
                raise SystemExit("%s %s: %d %s" % (method, path, answer.status, answer.body.decode()))
            return json.loads(answer.body) if answer.body else None

        made = {}
        later = dict(LATER)
        for definition in definitions(None):
            made[definition["name"]] = call("POST", "/api/collections", definition)
            for name in [name for name, more in later.items()
                         if name in made and all(one["collectionId"] in [m["id"] for m in made.values()] for one in more)]:
                call("PATCH", "/api/collections/" + name, {"fields": made[name]["fields"] + later.pop(name)})
        call("PATCH", "/api/settings", {"batch": {"enabled": True, "maxRequests": 10, "timeout": 30}})
        client.close()
    finally:
        server.stop()
    connection = sqlite3.connect(os.path.join(server.dir, "data.db"))
    for name, count in ROWS.items():
        for number in range(count):
            values = {"id": record_id(name, number), **row(dice, name, number)}
            columns = ", ".join("`%s`" % column for column in values)
            connection.execute(
                "INSERT INTO `%s` (%s) VALUES (%s)" % (name, columns, ", ".join("?" * len(values))), list(values.values()))
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return server.dir
