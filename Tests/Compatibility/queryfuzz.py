"""Compares what filters, sorts, rules and expands mean to PocketBase and Roost, with random ones over random data.

    python Tests/Compatibility/queryfuzz.py --seconds 40 --seed 7

Both servers get copies of one directory. Each round is a handful of requests that follow from the seed and the round's
number alone, so `--seed S --only N` repeats one. What is compared: statuses; the ids of lists in their order (the last
sort key is always the id), which of them show an e-mail address, and their totals; the ids in expands; the fields that a
refusal names. What a rule lets be written is taken back: it comes in a batch whose last request fails. A round of the kind
`damage` sends texts with a few characters changed and compares statuses. Whatever is sent, an answer must not be a 5xx and must not speak of SQL.

The last line is `N passed, N failed`; each failure is shown with what was sent."""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
import os
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import querydata
from client import Client
from identities import Identities
from querygrammar import Grammar
from server import SUPERUSER_EMAIL, Server, find_pocketbase, find_roost

PEOPLE = {"p%d" % number: ("people", querydata.record_id("people", number)) for number in range(3)}
TELLTALES = [b"SQL", b"sqlite", b"syntax error", b"no such column", b"near \"", b"logic error"]


class Side:
    """One server with a connection and the tokens of its people."""

    def __init__(self, command, home, label, source):
        self.label = label
        self.server = Server(command, home, label)
        shutil.copytree(source, self.server.dir)
        self.identities = Identities(self.server.dir, PEOPLE, SUPERUSER_EMAIL)
        self.tokens = {name: self.identities.token(name, expires=864000) for name in self.identities.people}
        self.server.spawn()
        self.server.wait()
        self.client = Client(self.server.port, timeout=60)

    def send(self, request):
        headers = [("X-Key", "let me"), ("Content-Type", "application/json")]
        if request["as"] != "guest":
            headers.append(("Authorization", self.tokens[request["as"]]))
        path = request["path"]
        if request.get("q"):
            path += "?" + urllib.parse.urlencode(request["q"])
        body = json.dumps(request["json"]).encode() if "json" in request else None
        return self.client.send(request["method"], path, headers, body)


def new_id(dice):
    """An id to create a record with: a rule that asks for it must not depend on what each server would make up."""
    return "".join(dice.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=15))


def record_id(dice, collection, person):
    """The id of a record; of people often the one who asks."""
    if collection == "people" and person in PEOPLE and dice.random() < 0.3:
        return PEOPLE[person][1]
    return querydata.record_id(collection, dice.randrange(querydata.ROWS[collection] + 1))


def expanded(record):
    """The ids in a record's expand, as a tree."""
    tree = {}
    for name, value in sorted(record.get("expand", {}).items()):
        members = value if isinstance(value, list) else [value]
        # Records of a back relation come in no order that was asked for.
        shown = [(one.get("id"), expanded(one)) for one in members]
        tree[name] = [isinstance(value, list), sorted(shown, key=str) if "_via_" in name else shown]
    return tree


def summary(request, answer):
    """What of an answer is compared."""
    if request.get("status_only") or answer.status >= 500:
        return answer.status
    try:
        body = json.loads(answer.body) if answer.body else None
    except ValueError:
        return answer.status, "not JSON"
    if answer.status != 200:
        data = (body or {}).get("data") or {}
        if request["kind"] == "write rule":
            # Which of the requests failed, and how.
            failed = data.get("requests") or {}
            return answer.status, sorted(
                (place, one.get("response", {}).get("status"), sorted(one.get("response", {}).get("data") or {}))
                for place, one in failed.items())
        return answer.status, sorted(data) if request["method"] != "GET" and "records" in request["path"] else None
    if "totalItems" in (body or {}):
        ids = [(one["id"], "email" in one, expanded(one)) for one in body["items"]]
        return 200, sorted(ids, key=str) if request.get("unordered") else ids, body["totalItems"]
    if request["kind"] == "auth rule":
        record = body.get("record") or {}
        return 200, record.get("id"), "email" in record
    return 200, expanded(body) if request["method"] == "GET" and isinstance(body, dict) else None


class Fuzz:
    def __init__(self, left, right, seed, verbose):
        self.left, self.right, self.seed, self.verbose = left, right, seed, verbose
        self.passed, self.failed, self.statuses, self.nonempty = 0, 0, {}, 0
        self.rules = {}

    def compare(self, number, request):
        for attempt in range(3):
            a, b = self.left.send(request), self.right.send(request)
            expected, seen = summary(request, a), summary(request, b)
            # A list that was asked for is remembered until something is written, and must be the same.
            is_list = request["method"] == "GET" and b.status == 200
            again = summary(request, self.right.send(request)) if is_list else seen
            # A macro may have meant another moment to each; that does not happen three times.
            if expected == seen == again:
                break
        problem = None
        # An empty key inside a path into a document is refused here; there it fails when SQLite meets a document that has
        # what comes before it.
        is_broken_path = b.status == 400 and any(".." in value for value in request.get("q", {}).values())
        if expected != seen and not is_broken_path:
            problem = "PocketBase %s\n     Roost      %s" % (expected, seen)
        elif seen != again:
            problem = "first %s\n     then  %s" % (seen, again)
        elif b.status >= 500 and a.status < 500:
            problem = "a %d" % b.status
        elif b.status >= 400 and any(word in b.body for word in TELLTALES) and "/records" in request["path"]:
            problem = "it speaks of SQL: %s" % b.body[:300]
        status = "%s %s" % (request["kind"], a.status)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if isinstance(expected, tuple) and len(expected) == 3 and isinstance(expected[1], list) and expected[1] and len(expected[1]) < 30:
            self.nonempty += 1
        if problem:
            self.failed += 1
            print("--- round %d (--seed %d --only %d)\n     %s\n     %s" % (
                number, self.seed, number, json.dumps({k: v for k, v in request.items() if k != "kind"}, ensure_ascii=False), problem))
            if a.status >= 400:
                print("     PocketBase says %s" % a.body[:300])
            if b.status >= 400:
                print("     Roost says %s" % b.body[:300])
            if request.get("rule"):
                print("     rule: %s" % request["rule"])
            sys.stdout.flush()
        else:
            self.passed += 1
            if self.verbose:
                print("%d %s" % (number, json.dumps(request, ensure_ascii=False)), expected if self.verbose > 1 else "")
        return a, b

    # Rounds

    def round(self, number):
        dice = random.Random("%d/%d" % (self.seed, number))
        kind = dice.choice(["filter"] * 12 + ["rule"] * 2 + ["write", "write", "auth"] + ["expand"] * 3 + ["damage"] * 4 + ["limits"])
        collection = dice.choice(querydata.BASES + ["items", "items", "notes"])
        getattr(self, "round_" + kind)(number, dice, collection)

    def list_request(self, kind, collection, person, dice, **query):
        return {"kind": kind, "method": "GET", "path": "/api/collections/%s/records" % collection, "as": person,
                "q": {"q": "a", "n": "2", "perPage": "200", **query}}

    def round_filter(self, number, dice, collection):
        for person in dice.sample(["guest", "p0", "p1", "superuser", "superuser"], 2):
            grammar = Grammar(dice, collection, person == "superuser")
            keys, many = grammar.sort()
            query = {"sort": ",".join(filter(None, [keys, "id"]))}
            if dice.random() < 0.9:
                query["filter"] = grammar.expression()
            if dice.random() < 0.2:
                query.update(perPage="7", page=dice.choice(["1", "2"]))
            request = self.list_request("filter", collection, person, dice, **query)
            # Which of its many records a record is sorted by, and so where it comes, is open.
            request["unordered"] = many
            if many:
                request["q"]["perPage"] = "200"
                request["q"].pop("page", None)
            _, answer = self.compare(number, request)
            if not many and "page" not in request["q"] and answer.status == 200:
                self.turn_pages(number, request, answer, dice)

    def turn_pages(self, number, request, first, dice):
        """Pages of a list whose answer is known whole, read with what is remembered of it."""
        whole = json.loads(first.body)
        for _ in range(3):
            size, page = dice.randint(1, 9), dice.randint(1, 4)
            query = {**request["q"], "perPage": str(size), "page": str(page), **({"skipTotal": "1"} if dice.random() < 0.3 else {})}
            answer = self.right.send({**request, "q": query})
            body = json.loads(answer.body) if answer.status == 200 else {}
            ids = [one["id"] for one in body.get("items", [])]
            known = [one["id"] for one in whole["items"]][(page - 1) * size:page * size]
            total = -1 if "skipTotal" in query else whole["totalItems"]
            if (ids, body.get("totalItems")) == (known, total):
                self.passed += 1
                continue
            # A macro may mean another moment now.
            if summary(request, self.right.send(request))[1:] != summary(request, first)[1:]:
                continue
            self.failed += 1
            print("--- round %d (--seed %d --only %d)\n     page %d of %d: %s\n     %s instead of %s" % (
                number, self.seed, number, page, size, json.dumps(request, ensure_ascii=False), (ids, body.get("totalItems")), (known, total)))
            sys.stdout.flush()

    def set_rules(self, number, collection, rules):
        body = {name + "Rule": text for name, text in rules.items()}
        self.rules.setdefault(collection, {}).update(body)
        return self.compare(number, {"kind": "set rule", "method": "PATCH", "path": "/api/collections/" + collection,
                                     "as": "superuser", "json": body, "status_only": True})

    def reset(self, number):
        """Opens all collections again, so that a round does not depend on those before it."""
        for collection, rules in self.rules.items():
            open_ = {name[:-4]: None if collection == "locked" or name == "manageRule" else "" for name in rules}
            self.set_rules(number, collection, open_)
        self.rules = {}

    def round_rule(self, number, dice, collection):
        view = collection in ("seen", "sums")
        names = ["list", "view"] if view else ["list", "view", "create", "update"]
        chosen = {name: Grammar(dice, collection, True, has_body=name in ("create", "update")).expression() for name in names}
        for name in names:
            if dice.random() < 0.05:
                chosen[name] = None
        # One by one: a bad one must not keep the others from being taken.
        for name in names:
            self.set_rules(number, collection, {name: chosen[name]})
        path = "/api/collections/%s/records" % collection
        rule = json.dumps(chosen, ensure_ascii=False)
        for person in ["guest", "p0", "p1", "superuser"]:
            query = {"sort": "id"}
            if dice.random() < 0.4:
                query["filter"] = Grammar(dice, collection, person == "superuser").expression(1)
            self.compare(number, {**self.list_request("list rule", collection, person, dice, **query), "rule": rule})
            for _ in range(2):
                one = querydata.record_id("items" if view else collection, dice.randrange(8))
                self.compare(number, {"kind": "view rule", "method": "GET", "path": path + "/" + one, "as": person,
                                      "q": {"q": "A"}, "rule": rule})
                if not view:
                    # `must` fails when the rule let the request through, so nothing is changed.
                    self.compare(number, {"kind": "update rule", "method": "PATCH", "path": path + "/" + one, "as": person,
                                          "q": {"q": "A"}, "json": self.body(dice, collection), "rule": rule})
            if not view:
                self.compare(number, {"kind": "create rule", "method": "POST", "path": path, "as": person, "q": {"q": "A"},
                                      "json": {"id": new_id(dice), **self.body(dice, collection)}, "rule": rule})
        self.reset(number)

    def round_write(self, number, dice, collection):
        """Rules for what is written, with bodies that are good enough to be stored. Now and then a manage rule."""
        if collection in ("seen", "sums") or dice.random() < 0.4:
            collection = "people"
        names = ["create", "update", "delete"] + (["manage"] if collection == "people" else [])
        chosen = {name: "" for name in names}
        for name in names:
            if dice.random() < 0.6 or name in ("delete", "manage"):
                # Short ones, which pass more often.
                chosen[name] = Grammar(dice, collection, True, has_body=name != "delete").expression(dice.choice([1, 1, 2]))
            elif dice.random() < 0.1:
                chosen[name] = None
            self.set_rules(number, collection, {name: chosen[name]})
        records = "/api/collections/%s/records" % collection
        for person in ["guest", "p0", "p1", "superuser"]:
            for method in ["POST", "PATCH", "PATCH", "DELETE", "DELETE"]:
                path, body = records, None
                if method != "POST":
                    path += "/" + record_id(dice, collection, person)
                if method != "DELETE":
                    body = self.good_body(dice, collection, method == "POST")
                requests = [{"method": method, "url": path + "?q=A", "body": body or {}},
                            {"method": "PATCH", "url": "/api/collections/items/records/nope", "body": {}}]
                self.compare(number, {"kind": "write rule", "method": "POST", "path": "/api/batch", "as": person,
                                      "json": {"requests": requests}, "rule": json.dumps(chosen, ensure_ascii=False)})
            if collection == "people":
                # Who may manage a person sees the address.
                self.compare(number, {**self.list_request("manage rule", collection, person, dice, sort="id"),
                                      "rule": json.dumps(chosen, ensure_ascii=False)})
        self.reset(number)

    def good_body(self, dice, collection, is_new):
        body = self.body(dice, collection)
        del body["must"]
        body.pop("id", None)
        if is_new:
            body["id"] = new_id(dice)
        if is_new and collection in ("items", "notes"):
            body["must"] = "x"
        if collection == "people":
            if dice.random() < 0.4:
                body[dice.choice(["emailVisibility", "verified"])] = dice.random() < 0.5
            body["role"] = dice.choice(["", "reader", "editor"])
            if dice.random() < (0.9 if is_new else 0.3):
                body["email"] = dice.choice(["p1@example.com", "new@example.com", "new@example.com"])
            if is_new or dice.random() < 0.3:
                body["password"] = body["passwordConfirm"] = querydata.PASSWORD + "x"
                if dice.random() < 0.3:
                    body["oldPassword"] = querydata.PASSWORD
        return body

    def round_auth(self, number, dice, collection):
        """An auth rule: who may sign in, and whose token is good for another one."""
        rule = Grammar(dice, "people", True).expression(dice.choice([1, 1, 2]))
        manage = Grammar(dice, "people", True).expression(1) if dice.random() < 0.3 else None
        self.set_rules(number, "people", {"auth": None if dice.random() < 0.05 else rule})
        self.set_rules(number, "people", {"manage": manage})
        path = "/api/collections/people/auth-"
        for who in range(querydata.ROWS["people"]):
            self.compare(number, {"kind": "auth rule", "method": "POST", "path": path + "with-password", "as": dice.choice(["guest", "p0"]),
                                  "q": {"q": "A"}, "rule": rule,
                                  "json": {"identity": "p%d@example.com" % who, "password": querydata.PASSWORD}})
        for person in ["guest", "p0", "p1", "p2"]:
            self.compare(number, {"kind": "auth rule", "method": "POST", "path": path + "refresh", "as": person,
                                  "q": {"q": "A"}, "json": {}, "rule": rule})
        self.reset(number)

    def body(self, dice, collection):
        body = {}
        numbers = {"bool": lambda: dice.random() < 0.5, "number": lambda: dice.choice([0, 1, 2.5, 3])}
        for name, kind in querydata.FIELDS[collection].items():
            if dice.random() < 0.5 or name in ("id", "email", "emailVisibility", "verified", "created", "updated"):
                continue
            if isinstance(kind, tuple):
                ids = [querydata.record_id(kind[1], dice.randrange(6)) for _ in range(dice.choice([0, 1, 2]) if kind[2] else 1)]
                body[name] = list(dict.fromkeys(ids)) if kind[2] else dice.choice(ids + [""])
            elif kind in numbers:
                body[name] = numbers[kind]()
            elif kind == "json":
                body[name] = dice.choice(querydata.DOCUMENTS)
            elif kind == "selects":
                body[name] = dice.sample(["red", "green", "blue"], dice.randrange(3))
            elif kind in ("text", "select"):
                body[name] = dice.choice(["", "a", "draft", "red", "A", "1"])
        # Never valid, so that nothing is stored.
        body["must"] = ""
        if collection in ("people", "labels"):
            body["id"] = "no"
        return body

    def round_expand(self, number, dice, collection):
        targets = dice.sample(["people", "labels", "items", "notes", "locked", "sums"], dice.choice([0, 1, 2]))
        for target in targets:
            self.set_rules(number, target, {"view": dice.choice([None, Grammar(dice, target, True).expression(1)])})
        for person in ["guest", "p0", "superuser"]:
            expand = Grammar(dice, collection, True).expand()
            self.compare(number, self.list_request("expand", collection, person, dice, sort="id", expand=expand, perPage="12"))
        self.reset(number)

    def round_damage(self, number, dice, collection):
        for person in dice.sample(["guest", "p0", "superuser"], 2):
            grammar = Grammar(dice, collection, person == "superuser")
            query = {"filter": grammar.damage(grammar.expression(dice.choice([1, 2])))}
            if dice.random() < 0.25:
                query = {"sort": grammar.damage(grammar.sort()[0])}
            request = self.list_request("damage", collection, person, dice, **query)
            request["status_only"] = True
            self.compare(number, request)
        if dice.random() < 0.3:
            expand = grammar.damage(grammar.expand())
            self.compare(number, {**self.list_request("damage", collection, "superuser", dice, sort="id", expand=expand),
                                  "status_only": True})
        if dice.random() < 0.2:
            self.set_rules(number, collection, {"list": grammar.damage(Grammar(dice, collection, True).expression(1))})
            self.reset(number)

    def round_limits(self, number, dice, collection):
        grammar = Grammar(dice, collection, True)
        one = "id %s 'x'" % dice.choice(["=", "!="])
        shape = dice.randrange(7)
        count = dice.choice([1, 2, 6, 7, 8, 9, 40, 198, 199, 200, 201, 250])
        if shape == 0:
            query = {"filter": dice.choice(["&&", " || "]).join([one.replace(" ", "")] * count)}
        elif shape == 1:
            query = {"filter": "id='" + "x" * (dice.choice([3494, 3495, 3496, 3500]) - 3) + "'"}
        elif shape == 2:
            query = {"sort": ",".join([dice.choice(["id", "-id", "created"])] * min(count, 12))}
        elif shape == 3:
            query = {"sort": "data." + "a" * dice.choice([240, 249, 250, 251, 256])}
        elif shape == 4:
            query = {"filter": "(" * min(count, 200) + one + ")" * (min(count, 200) - dice.choice([0, 0, 0, 1]))}
        elif shape == 5:
            steps = min(count, 9)
            collection = dice.choice(["people", "labels"])
            query = {"filter": ".".join(["boss" if collection == "people" else "parent"] * steps + ["id"]) + " != 'x'"}
        else:
            query = {"filter": "strftime(" * min(count, 6) + "'%Y'" + ")" * min(count, 6) + " = '2024'"}
        self.compare(number, {**self.list_request("limits", collection, "superuser", dice, **query), "status_only": True})
        if shape in (4, 5):
            self.set_rules(number, collection, {"list": query["filter"]})
            self.reset(number)
        del grammar


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--roost")
    parser.add_argument("--pocketbase")
    parser.add_argument("--seed", type=int, help="a new one without it")
    parser.add_argument("--seconds", type=float, default=30, help="how long rounds are begun")
    parser.add_argument("--rounds", type=int, help="how many rounds instead")
    parser.add_argument("--only", type=int, action="append", help="the number of a round")
    parser.add_argument("--stop-after", type=int, default=25, help="failures after which it ends")
    parser.add_argument("--verbose", "-v", action="count", default=0)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    home = tempfile.mkdtemp(prefix="queryfuzz-")
    sides = []
    fuzz = None
    try:
        print("seed %d" % seed, flush=True)
        pocketbase = find_pocketbase(options.pocketbase)
        source = querydata.build(random.Random(seed), pocketbase, os.path.join(home, "source"))
        sides.append(Side(pocketbase, os.path.join(home, "left"), "PocketBase", source))
        sides.append(Side(find_roost(options.roost), os.path.join(home, "right"), "Roost", source))
        fuzz = Fuzz(sides[0], sides[1], seed, options.verbose)
        begun = time.monotonic()
        numbers = options.only if options.only else range(options.rounds or 1 << 40)
        done = 0
        for number in numbers:
            if not options.only and not options.rounds and time.monotonic() - begun > options.seconds:
                break
            if fuzz.failed >= options.stop_after:
                print("… and so on: the run stops here")
                break
            fuzz.round(number)
            done += 1
        print("%d rounds in %.0f s, %d lists with some but not all records; %s" % (
            done, time.monotonic() - begun, fuzz.nonempty,
            ", ".join("%s: %d" % pair for pair in sorted(fuzz.statuses.items()))))
    finally:
        for side in sides:
            side.server.stop()
        shutil.rmtree(home, ignore_errors=True)
    print("%d passed, %d failed" % (fuzz.passed, fuzz.failed))
    sys.exit(1 if fuzz.failed else 0)


if __name__ == "__main__":
    main()
