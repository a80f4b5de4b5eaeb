"""Attacks on signing in, against PocketBase and Roost, and what surrounds it: limits, addresses, linked accounts.

    python Tests/Compatibility/authtest.py [--roost PATH] [--pocketbase PATH] [--storm]

The same steps run on both, and what they answer must be equal. What Roost promises beyond PocketBase (one of several at
the same moment wins, a storm of sign-ins starves nobody, …) is checked on Roost alone. --storm only measures that."""

import argparse
import concurrent.futures
import ctypes
import http.client
import json
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import threading
import time

import requests

import mailtest
from identities import encode, sign
from mailtest import PASSWORD, Session, Sink, at_once, check, sign_in
from server import SUPERUSER_EMAIL, SUPERUSER_PASSWORD, Server, StartFailed, find_pocketbase, find_roost

USERS = "/api/collections/users/"
KINDS = ["auth", "file", "verification", "passwordReset", "emailChange"]


def secrets(session, collection="users"):
    with sqlite3.connect("%s/data.db" % session.server.dir, timeout=10) as database:
        options, = database.execute("SELECT options FROM _collections WHERE name = ?", (collection,)).fetchone()
    return json.loads(options)


def token_key(session, record, collection="users"):
    with sqlite3.connect("%s/data.db" % session.server.dir, timeout=10) as database:
        key, = database.execute('SELECT tokenKey FROM "%s" WHERE id = ?' % collection, (record["id"],)).fetchone()
    return key


def claims(record, kind, **more):
    body = {"collectionId": record["collectionId"], "id": record["id"], "type": kind, "exp": int(time.time()) + 600,
            "email": record["email"], **more}
    if kind == "auth":
        body["refreshable"] = True
    if kind == "emailChange":
        body["newEmail"] = "attacker@example.com"
    return body


def uses(session, token):
    """What a token is good for: each use of one, by its status."""
    again = {"password": "another123", "passwordConfirm": "another123"}
    return {
        "session": session.send("POST", USERS + "auth-refresh", {}, token).status_code,
        "file": session.send("POST", "/api/files/token", {}, token).status_code,
        "verification": session.send("POST", USERS + "confirm-verification", {"token": token}).status_code,
        "reset": session.send("POST", USERS + "confirm-password-reset", {"token": token, **again}).status_code,
        "change": session.send("POST", USERS + "confirm-email-change", {"token": token, "password": PASSWORD}).status_code,
    }


def token_confusion(session, sink):
    record, options = session.user("confused@example.com"), secrets(session)
    other = session.send("POST", "/api/collections", {"name": "clients", "type": "auth"}, session.root).json()
    client = session.send("POST", "/api/collections/clients/records", {
        "email": "confused@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}, session.root).json()
    session.ids += [other["id"], client["id"]]
    foreign, key = secrets(session, "clients"), token_key(session, record)
    for claimed in KINDS:
        for signed in KINDS:
            if claimed == signed and claimed not in ("auth", "file"):
                continue
            session.note("%s signed as %s" % (claimed, signed),
                         uses(session, sign(claims(record, claimed), key + options[signed + "Token"]["secret"])))
    for kind in KINDS:
        secret = options[kind + "Token"]["secret"]
        client_secret = token_key(session, client, "clients") + foreign[kind + "Token"]["secret"]
        body = claims(record, kind)
        for what, token in (
                ("of another collection", sign(claims(client, kind), client_secret)),
                ("of another collection with this one's id", sign({**claims(client, kind), "collectionId": record["collectionId"]}, client_secret)),
                ("signed by another collection", sign(body, key + foreign[kind + "Token"]["secret"])),
                ("of another server", sign(body, key + "x" * 50)),
                ("signed with the key alone", sign(body, key)),
                ("signed with the secret alone", sign(body, secret)),
                ("signed the wrong way round", sign(body, secret + key)),
                ("signed with nothing", sign(body, "")),
                ("without a signature", sign(body, key + secret).rsplit(".", 1)[0] + "."),
                ("of no algorithm", sign(body, key + secret, "none")),
                ("of another algorithm", sign(body, key + secret, "HS512")),
                ("over", sign({**body, "exp": int(time.time()) - 1}, key + secret)),
                ("not yet", sign({**body, "nbf": int(time.time()) + 600}, key + secret)),
                ("of nobody", sign({**body, "id": "nobody000000000"}, key + secret)),
                ("without an id", sign({k: v for k, v in body.items() if k != "id"}, key + secret)),
                ("without a collection", sign({k: v for k, v in body.items() if k != "collectionId"}, key + secret)),
                ("by the collection's name", sign({**body, "collectionId": "users"}, key + secret)),
                ("without a type", sign({k: v for k, v in body.items() if k != "type"}, key + secret))):
            session.note("%s %s" % (kind, what), uses(session, token))
    session.note("nothing has happened", [sign_in(session, "confused@example.com").status_code, session.view(record)["verified"],
                                          session.view(record)["email"]])


def malformed_tokens(session, sink):
    record = session.user("broken@example.com")
    key = token_key(session, record) + secrets(session)["authToken"]["secret"]
    good = sign(claims(record, "auth"), key)
    head, body, signature = good.split(".")
    deep = encode(b'{"a":' * 5000 + b"1" + b"}" * 5000)
    odd = {
        "good": good, "three dots": good + ".", "a part more": good + ".x", "two parts": head + "." + body, "padded": body + "=",
        "padded signature": good + "=", "signature cut": good[:-1], "a bit more": good + "A", "in capitals": good.upper(),
        "with plus": good.replace("-", "+").replace("_", "/") if "-" in good or "_" in good else good + "+", "space inside": head + ". " + body + "." + signature,
        "no JSON": head + "." + encode(b"x") + "." + signature, "a list": head + "." + encode(b"[]") + "." + signature,
        "nothing": "..", "deep": head + "." + deep + "." + signature, "long": "a" * 20000, "long head": "a" * 20000 + "." + body + "." + signature,
        "other head": encode(b'{"typ":"JWT"}') + "." + body + "." + signature, "twice Bearer": "Bearer Bearer " + good,
        "Basic": "Basic " + good, "Bearer": "Bearer " + good, "tab": "Bearer\t" + good,
        "key id": encode(b'{"alg":"HS256","kid":"../../etc/passwd","jku":"http://127.0.0.1/"}') + "." + body + "." + signature,
    }
    for what, token in odd.items():
        session.post("a token: " + what, USERS + "auth-refresh?fields=record.id", {}, token)
        session.note("in a body: " + what, session.send("POST", USERS + "confirm-verification", {"token": token}).status_code)
    for raw in [b"\xff\xfe", b"\x00", "é".encode(), b"\xc3\x28.a.b"]:
        connection = http.client.HTTPConnection("127.0.0.1", session.server.port, timeout=10)
        connection.putrequest("POST", USERS + "auth-refresh")
        connection.putheader("Authorization", raw)
        connection.putheader("Content-Length", "0")
        try:
            connection.endheaders()
            session.note("bytes in a token: %r" % raw, connection.getresponse().status)
        except (OSError, http.client.HTTPException):
            session.note("bytes in a token: %r" % raw, "closed")
        connection.close()


# What looks alike, and what some comparisons take for the same.
ALIKE = [
    "kate@example.com", "KATE@EXAMPLE.COM", "\u212aate@example.com", "kate@example.com ", " kate@example.com", "kate@example.com\n",
    "kate@example.com\u0000", "kate\u200b@example.com", "k\u0430te@example.com", "kate\uff20example.com", "kate@example\u3002com",
    "kate@ex\u00e4mple.com", "kate@exa\u0308mple.com", "jos\u00e9@example.com", "jose\u0301@example.com", "JOS\u00c9@example.com",
    "stra\u00dfe@example.com", "strasse@example.com", "\u0130lk@example.com", "ilk@example.com", "\u0131lk@example.com",
    "\"kate\"@example.com", "kate+1@example.com", "kate@[127.0.0.1]", "kate@localhost", "kate@example.com,eve@example.com",
    "kate@example.com\r\nBcc: eve@example.com", "<kate@example.com>", "Kate <kate@example.com>", "kate@example..com", "k" * 300 + "@example.com",
    "%", "_ate@example.com", "kate@example.com' OR '1'='1", "kate@example.com\" || true", "{\"$ne\":null}",
]


def look_alikes(session, sink):
    for address in ALIKE:
        answer = session.send("POST", USERS + "records", {
            "email": address, "password": PASSWORD, "passwordConfirm": PASSWORD, "name": "x"}, session.root)
        data = answer.json()
        if answer.status_code == 200:
            session.ids.append(data["id"])
        session.note("%r as an account" % address, [answer.status_code, data.get("email"), data.get("data")])
    for address in ALIKE:
        answer = sign_in(session, address)
        data = answer.json()
        session.note("%r signs in" % address, [answer.status_code, data.get("record", {}).get("email"), data.get("data")])
        session.post("%r asks for a reset" % address, USERS + "request-password-reset", {"email": address})
    mails = []
    while (mail := sink.next(2)):
        mails.append(mail.recipients)
    session.note("mails go to", sorted(mails))
    twin = session.user("ren\u00e9@example.com", name="Ren\u00e9")
    token = sign_in(session, "ren\u00e9@example.com").json()["token"]
    session.call("a name that looks alike is another", "PATCH", USERS + "records/" + twin["id"] + "?fields=name", {"name": "Rene\u0301"}, session.root)
    session.note("stored as it was sent", session.view(twin)["name"])
    session.call("the session goes on", "POST", USERS + "auth-refresh?fields=record.name", {}, token)
    session.call("an address that looks alike is another", "PATCH", USERS + "records/" + twin["id"] + "?fields=email", {"email": "rene\u0301@example.com"}, session.root)
    session.call("and ends the session", "POST", USERS + "auth-refresh?fields=record.name", {}, token)
    # Passwords are bytes: no folding, no trimming, no end at a NUL.
    pairs = [("pass\u00e9word", "passe\u0301word"), ("password\u212a", "passwordK"), ("password123", "Password123"),
             ("password123 ", "password123"), ("p" * 71, "p" * 72), ("\u00e4" * 35 + "a", "\u00e4" * 35 + "b")]
    for number, (one, other) in enumerate(pairs):
        address = "pass%d@example.com" % number
        answer = session.send("POST", USERS + "records", {"email": address, "password": one, "passwordConfirm": one}, session.root)
        if answer.status_code == 200:
            session.ids.append(answer.json()["id"])
        session.note("password %d" % number, [answer.status_code, sign_in(session, address, one).status_code,
                                              sign_in(session, address, other).status_code])
        # PocketBase takes one of 71 bytes with a NUL behind it, as bcrypt does by itself.
        check("%s: a NUL is no end of a password" % session.label,
              session.label == "PocketBase" or sign_in(session, address, one + "\0").status_code == 400, one)


def enumeration(session, sink):
    """One answer for who is there and who is not, whatever else is wrong."""
    session.collection({"otp": {"enabled": True}})
    session.user("known@example.com", verified=True)
    for address in ["known@example.com", "unknown@example.com"]:
        for path, body in (
                ("auth-with-password", {"identity": address, "password": "wrong"}),
                ("auth-with-password", {"identity": address, "password": ""}),
                ("auth-with-password", {"identity": address, "password": "x" * 256}),
                ("auth-with-password", {"identity": address, "password": "wrong", "identityField": "nope"}),
                ("request-password-reset", {"email": address}), ("request-verification", {"email": address}),
                ("request-otp", {"email": address}),
                ("auth-with-otp", {"otpId": "nosuch000000000", "password": "12345678"})):
            answer = session.send("POST", USERS + path, body)
            shown = answer.json() if answer.content else None
            if path == "request-otp" and shown:
                shown = {k: len(v) for k, v in shown.items()}
            headers = sorted(h.lower() for h in answer.headers if h.lower() not in ("date", "content-length", "connection"))
            session.note("%s %s" % (path, {k: v for k, v in body.items() if k not in ("identity", "email")}),
                         [answer.status_code, shown, headers])
    half = len(session.seen) // 2
    check("%s answers alike for who is there and who is not" % session.label, session.seen[:half] == session.seen[half:])
    while sink.next(0.3):
        pass
    session.collection({"otp": {"enabled": False}})


def limits(session, sink):
    """Labels, audience, addresses, windows, and that each save of the settings begins anew."""
    token = sign_in(session, session.user("limited@example.com")["email"]).json()["token"]
    session.setting({"trustedProxy": {"headers": ["X-Forwarded-For", "X-Real-IP"], "useLeftmostIP": False}})

    def rules(*rules, **more):
        session.setting({"rateLimits": {"enabled": True, "rules": list(rules), "excludedIPs": [], **more}})

    def rule(label, most, seconds=600, audience=""):
        return {"label": label, "maxRequests": most, "duration": seconds, "audience": audience}

    def statuses(count, method="GET", path="/api/health", body=None, token=None, address="203.0.113.7", **headers):
        return [session.send(method, path, body, token, **{"X-Forwarded-For": address, **headers}).status_code for _ in range(count)]

    rules(rule("/api/health", 2))
    session.note("a path", statuses(4))
    session.note("another address", statuses(3, address="203.0.113.8"))
    session.note("the nearest proxy's word counts", statuses(3, address="203.0.113.8, 203.0.113.9"))
    session.note("no address there", statuses(3, address="unknown", **{"X-Real-IP": "203.0.113.10"}))
    session.note("nothing to trust", statuses(3, address="not an address"))
    session.note("an address of version 6", statuses(3, address="2001:db8::1"))
    session.note("the same, written otherwise", statuses(1, address="2001:0db8:0:0::1"))
    session.setting({"trustedProxy": {"useLeftmostIP": True}})
    session.note("a save begins anew", statuses(3))
    session.note("the farthest now", statuses(3, address="203.0.113.20, 203.0.113.8"))
    session.setting({"meta": {"appName": "Other"}})
    session.note("any save begins anew", statuses(3, address="203.0.113.20, 203.0.113.8"))
    rules(rule("/api/", 3), rule("GET /api/health", 1), rule("/api/collections/", 1))
    session.note("a method's label comes before a path's", statuses(3))
    session.note("the beginning of a path", statuses(4, path="/api/nosuch"))
    session.note("and it counts for all below", statuses(2, path="/api/other"))
    session.note("a closer one comes later", statuses(3, path="/api/collections/users/auth-methods"))
    rules(rule("*:auth", 2), rule("users:authWithPassword", 1), rule("users:listAuthMethods", 1, audience="@guest"),
          rule("users:authRefresh", 1, audience="@auth"), rule("*:list", 1, audience="@guest"), rule("*:create", 1))
    wrong = {"identity": "limited@example.com", "password": "wrong"}
    session.note("of a collection", statuses(3, "POST", USERS + "auth-with-password", wrong))
    session.note("for all collections", statuses(4, "POST", "/api/collections/_superusers/auth-with-password", wrong))
    session.note("of guests: a guest", statuses(2, path=USERS + "auth-methods"))
    session.note("of guests: a record", statuses(2, path=USERS + "auth-methods", token=token))
    session.note("of records: a record", statuses(2, "POST", USERS + "auth-refresh", {}, token))
    session.note("of records: a guest", statuses(2, "POST", USERS + "auth-refresh", {}))
    session.note("lists of guests", statuses(2, path=USERS + "records"))
    session.note("lists of records", statuses(2, path=USERS + "records", token=token))
    session.note("superusers have none", statuses(4, path=USERS + "records", token=session.root))
    session.note("creating", statuses(2, "POST", USERS + "records", {}))
    session.note("by the collection's id", statuses(2, "POST", "/api/collections/_pb_users_auth_/records", {}))
    rules(rule("/api/health", 1), excludedIPs=["203.0.113.0/28", "2001:db8::/32", "198.51.100.7"])
    for address in ["203.0.113.15", "203.0.113.16", "198.51.100.7", "198.51.100.8", "2001:db8:ffff::1", "2001:db9::1", "::ffff:203.0.113.1"]:
        session.note("excluded? " + address, statuses(2, address=address))
    rules(rule("/api/health", 2, seconds=2))
    session.note("a window", statuses(3))
    time.sleep(1)
    session.note("still in it", statuses(1))
    time.sleep(1.6)
    session.note("the next one", statuses(3))
    session.setting({"rateLimits": {"enabled": False}})
    session.note("off", statuses(3))
    session.setting({"trustedProxy": {"headers": [], "useLeftmostIP": False}})
    for patch in [{"rules": [rule("", 1)]}, {"rules": [rule("/a", 0)]}, {"rules": [rule("/a", 1, 0)]}, {"rules": [rule("/a", 1, 1, "@x")]},
                  {"rules": [rule("/a", 1), rule("/a", 2)]}, {"rules": [rule("/a", 1, 1, "@guest"), rule("/a", 2, 1, "@auth")]},
                  {"rules": [rule("a b", 1)]}, {"excludedIPs": ["nope"]}, {"excludedIPs": ["1.2.3.4/99"]}, {"rules": []}]:
        answer = session.send("PATCH", "/api/settings?fields=rateLimits", {"rateLimits": {"enabled": True, **patch}}, session.root)
        session.note("limits %s" % json.dumps(patch), [answer.status_code, answer.json()])
    session.setting({"rateLimits": {"enabled": False, "rules": [], "excludedIPs": []}})


def superusers(session, sink):
    base = "/api/collections/_superusers/records"
    only = session.send("GET", base, token=session.root).json()["items"][0]
    session.ids.append(only["id"])
    session.call("the only superuser stays", "DELETE", base + "/" + only["id"], token=session.root)
    session.post("also in a batch", "/api/batch", {"requests": []}, session.root)
    second = session.send("POST", base, {"email": "two@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}, session.root).json()
    session.ids.append(second["id"])
    token = session.send("POST", "/api/collections/_superusers/auth-with-password", {"identity": "two@example.com", "password": PASSWORD}).json()["token"]
    session.call("the second may go", "DELETE", base + "/" + second["id"], token=session.root)
    session.call("its token went with it", "GET", base, token=token)

    session.setting({"trustedProxy": {"headers": ["X-Forwarded-For"], "useLeftmostIP": False}})
    session.note("addresses are checked", session.send(
        "PATCH", "/api/settings?fields=superuserIPs", {"superuserIPs": ["nope"]}, session.root).json())
    answer = session.send("PATCH", "/api/settings?fields=superuserIPs", {"superuserIPs": ["198.51.100.0/24"]}, session.root)
    session.note("one locks oneself out", [answer.status_code, answer.json()])
    inside = {"X-Forwarded-For": "198.51.100.9"}
    answer = session.send("PATCH", "/api/settings?fields=superuserIPs", {"superuserIPs": ["198.51.100.0/24"]}, session.root, **inside)
    session.note("from inside", [answer.status_code, answer.json()])
    credentials = {"identity": SUPERUSER_EMAIL, "password": SUPERUSER_PASSWORD}
    for what, headers in (("outside", {}), ("inside", inside)):
        session.call("a token from " + what, "GET", base + "?fields=email", None, session.root, **headers)
        session.note("a sign-in from " + what, session.send(
            "POST", "/api/collections/_superusers/auth-with-password", credentials, **headers).status_code)
        session.note("a refresh from " + what, session.send(
            "POST", "/api/collections/_superusers/auth-refresh", {}, session.root, **headers).status_code)
        session.note("a wrong sign-in from " + what, session.send(
            "POST", "/api/collections/_superusers/auth-with-password", {**credentials, "password": "wrong"}, **headers).status_code)
        session.note("a user from " + what, session.send("GET", USERS + "auth-methods", **headers).status_code)
    for words in (["ips", "nope"], ["ips", "127.0.0.0/8", "198.51.100.9"], ["ips"]):
        try:
            session.server.run("superuser", *words)
            done = "done"
        except StartFailed:
            done = "refused"
        time.sleep(0.5)
        session.note("superuser %s" % " ".join(words), done)
    session.server.stop()
    session.server.spawn()
    session.server.wait()
    session.url = session.server.url
    session.note("open again", session.send("GET", "/api/settings?fields=superuserIPs", None, session.root).json())
    session.setting({"trustedProxy": {"headers": []}})


def external_accounts(session, sink):
    base = "/api/collections/_externalAuths/records"
    ann, ben = session.user("ext.ann@example.com"), session.user("ext.ben@example.com")
    tokens = {"guest": None, "owner": sign_in(session, ann["email"]).json()["token"],
              "other": sign_in(session, ben["email"]).json()["token"], "superuser": session.root}
    link = {"collectionRef": ann["collectionId"], "recordRef": ann["id"], "provider": "google", "providerId": "g-1"}
    for who, token in tokens.items():
        _, made = session.post("%s links" % who, base, link, token)
    if made and made.get("id"):
        session.ids.append(made["id"])
    for number, change in enumerate([{"provider": "nosuch"}, {"provider": ""}, {"providerId": ""}, {"recordRef": "nobody000000000"}, {"collectionRef": "nosuch"},
                   {}, {"providerId": "g-2"}, {"recordRef": ben["id"]}, {"provider": "github"}]):
        _, more = session.post("link %d with another %s" % (number, list(change)), base, {**link, **change}, session.root)
        if more and more.get("id"):
            session.ids.append(more["id"])
    for who, token in tokens.items():
        session.call("%s lists" % who, "GET", base + "?sort=created&fields=provider,providerId,recordRef", token=token)
        session.call("%s views" % who, "GET", base + "/" + made["id"] + "?fields=provider", token=token)
        session.call("%s changes" % who, "PATCH", base + "/" + made["id"], {"providerId": "stolen-" + who}, token)
    for who in ["guest", "other", "owner", "owner"]:
        session.call("%s unlinks" % who, "DELETE", base + "/" + made["id"], token=tokens[who])
    before = tokens["owner"]
    session.call("ann is verified", "PATCH", USERS + "records/" + ann["id"], {"verified": True}, session.root)
    session.note("links go with it", [r["recordRef"] == ben["id"] for r in session.rows("_externalAuths")])
    session.call("and so do her tokens", "POST", USERS + "auth-refresh?fields=record.id", {}, before)
    session.post("a link", base, {**link, "providerId": "g-9"}, session.root)
    session.call("ann goes", "DELETE", USERS + "records/" + ann["id"], token=session.root)
    session.note("and her links", [r["recordRef"] == ben["id"] for r in session.rows("_externalAuths")])


def known_tokens(session, sink):
    """Whatever the server remembers of a token ends with what it stands on."""
    def fresh(name):
        record = session.user(name + "@example.com")
        token = sign_in(session, record["email"]).json()["token"]
        for _ in range(3):
            session.send("POST", USERS + "auth-refresh", {}, token)
        return record, token

    def is_known(token):
        return session.send("POST", USERS + "auth-refresh?fields=record.name", {}, token).status_code

    session.collection({"updateRule": "id = @request.auth.id", "manageRule": "@request.auth.name = 'manager'"})
    for name, change in (("pw", {"password": "another123", "passwordConfirm": "another123"}), ("key", {"tokenKey": "k" * 40}),
                         ("mail", {"email": "moved@example.com"}), ("nothing", {"name": "x"}), ("check", {"verified": True})):
        record, token = fresh("cache." + name)
        answer = session.send("PATCH", USERS + "records/" + record["id"], change, session.root)
        session.note("after a change of " + name, [answer.status_code, is_known(token)])
    record, token = fresh("cache.gone")
    session.send("DELETE", USERS + "records/" + record["id"], token=session.root)
    session.note("after it is gone", is_known(token))
    boss, boss_token = fresh("cache.boss")
    target, _ = fresh("cache.target")
    session.send("PATCH", USERS + "records/" + boss["id"], {"name": "manager"}, session.root)
    session.call("a manager may", "PATCH", USERS + "records/" + target["id"] + "?fields=id", {"emailVisibility": True}, boss_token)
    changed = session.send("PATCH", USERS + "records/" + target["id"], {"verified": True}, boss_token).status_code
    session.send("PATCH", USERS + "records/" + boss["id"], {"name": "clerk"}, session.root)
    session.note("and no longer when the role is gone", [changed, session.send(
        "PATCH", USERS + "records/" + target["id"], {"verified": False}, boss_token).status_code])
    with_secret, token = fresh("cache.secret")
    session.collection({"authToken": {"secret": "s" * 50}})
    session.note("after a new secret", is_known(token))
    token = sign_in(session, with_secret["email"]).json()["token"]
    session.collection({"authRule": "verified = true"})
    session.note("after a new rule", [is_known(token), sign_in(session, with_secret["email"]).status_code])
    session.collection({"authRule": "", "manageRule": None, "updateRule": "id = @request.auth.id"})
    rename, token = fresh("cache.name")
    session.collection({"name": "people"})
    session.note("after a new name of the collection", [session.send(
        "POST", "/api/collections/%s/auth-refresh" % name, {}, token).status_code for name in ("users", "people")])
    session.collection({"name": "users"}, "people")


CRYPT = ctypes.CDLL("libcrypt.so.1").crypt
CRYPT.restype = ctypes.c_char_p
# The function gives every caller the same buffer.
CRYPT_LOCK = threading.Lock()


def bcrypt(password, cost):
    with CRYPT_LOCK:
        return CRYPT(password.encode(), b"$2b$%02d$abcdefghijklmnopqrstuu" % cost).decode()


def costs(session, sink):
    """Hashes of every usual cost and kind are checked, whatever the field says now."""
    for cost in [4, 5, 9, 11, 12]:
        for kind in ["2a", "2b", "2y"]:
            record = session.user("cost.%d.%s@example.com" % (cost, kind))
            text = bcrypt("grüße 123", cost).replace("$2b$", "$%s$" % kind)
            with sqlite3.connect("%s/data.db" % session.server.dir, timeout=10) as database:
                database.execute("UPDATE users SET password = ? WHERE id = ?", (text, record["id"]))
            time.sleep(0.02)
            session.note("cost %d of %s" % (cost, kind), [sign_in(session, record["email"], p).status_code for p in ("grüße 123", "grüsse 123", PASSWORD)])
    for text in ["", "x", "$2a$10$", "$2a$03$" + "." * 53, "$2a$32$" + "." * 53, "$2a$99$" + "." * 53, "$1$abc$" + "." * 53, "$2a$10$" + "\u00e9" * 53]:
        record = session.user("odd%d@example.com" % len(session.seen))
        with sqlite3.connect("%s/data.db" % session.server.dir, timeout=10) as database:
            database.execute("UPDATE users SET password = ? WHERE id = ?", (text, record["id"]))
        time.sleep(0.02)
        session.note("no hash: %r" % text, sign_in(session, record["email"]).status_code)


STEPS = [token_confusion, malformed_tokens, look_alikes, enumeration, limits, external_accounts, known_tokens, costs, superusers]


# What Roost promises beyond PocketBase

def one_wins(session, sink):
    base = session.url + USERS
    session.collection({"otp": {"enabled": True}, "mfa": {"enabled": True, "duration": 60}})
    for turn in range(3):
        address = "both%d@example.com" % turn
        session.user(address)
        first = sign_in(session, address).json()["mfaId"]
        passwords = []
        for _ in range(5):
            otp = session.send("POST", USERS + "request-otp", {"email": address}).json()["otpId"]
            passwords.append((otp, sink.next().password))
        codes = at_once(5, lambda n: requests.post(base + "auth-with-otp", json={
            "otpId": passwords[n][0], "password": passwords[n][1], "mfaId": first}, timeout=30).status_code)
        check("of five second proofs for one session one wins", sorted(codes) == [200] + [400] * 4, codes)
    session.collection({"mfa": {"enabled": False}})
    session.user("guessed@example.com")
    otp = session.send("POST", USERS + "request-otp", {"email": "guessed@example.com"}).json()["otpId"]
    right = sink.next().password
    codes = at_once(24, lambda n: requests.post(base + "auth-with-otp", json={
        "otpId": otp, "password": "%08d" % n}, timeout=30).status_code)
    check("of many guesses at the same moment five are looked at", sorted(codes) == [400] * 5 + [429] * 19, codes)
    code = requests.post(base + "auth-with-otp", json={"otpId": otp, "password": right}, timeout=30).status_code
    check("and then not even the right one", code == 429, code)
    session.collection({"otp": {"enabled": False}})
    for turn in range(3):
        address = "moving%d@example.com" % turn
        record = session.user(address)
        token = sign_in(session, address).json()["token"]
        session.send("POST", USERS + "request-email-change", {"newEmail": "moved%d@example.com" % turn}, token)
        change = sink.next().token
        codes = at_once(6, lambda n: requests.post(base + "confirm-email-change", json={"token": change, "password": PASSWORD}, timeout=30).status_code)
        check("of six changes with one token one wins", sorted(codes) == [204] + [400] * 5, codes)
    # The last superuser, by two at the same moment
    supers = "/api/collections/_superusers/records"
    made = [session.send("POST", supers, {"email": "s%d@example.com" % n, "password": PASSWORD, "passwordConfirm": PASSWORD}, session.root).json()["id"]
            for n in range(3)]
    tokens = [session.send("POST", "/api/collections/_superusers/auth-with-password", {"identity": "s%d@example.com" % n, "password": PASSWORD}).json()["token"]
              for n in range(3)]
    root = session.send("GET", supers + "?filter=email='%s'" % SUPERUSER_EMAIL, token=session.root).json()["items"][0]["id"]
    session.send("DELETE", supers + "/" + root, token=tokens[0])
    at_once(3, lambda n: requests.delete(session.url + supers + "/" + made[n], headers={"Authorization": tokens[n]}, timeout=30).status_code)
    with sqlite3.connect("%s/data.db" % session.server.dir, timeout=10) as database:
        left, = database.execute("SELECT COUNT(*) FROM _superusers").fetchone()
    check("however many delete themselves, one superuser stays", left == 1, left)
    session.server.run("superuser", "upsert", SUPERUSER_EMAIL, SUPERUSER_PASSWORD)
    time.sleep(0.5)
    session.root = session.send("POST", "/api/collections/_superusers/auth-with-password",
                                {"identity": SUPERUSER_EMAIL, "password": SUPERUSER_PASSWORD}).json()["token"]


def oversize(session, sink):
    record = session.user("large@example.com")
    key = token_key(session, record) + secrets(session)["authToken"]["secret"]
    for size, expected in ((5000, 200), (9000, 401)):
        answer = session.send("POST", USERS + "auth-refresh", {}, sign(claims(record, "auth", more="x" * size), key))
        check("a token with %d bytes more is answered %d" % (size, expected), answer.status_code == expected, answer.status_code)


def times(session, sink):
    """The time tells nobody apart: medians of 60 tries each (30 of one-time passwords) in a random order, within a fifth
    or 3 ms."""
    session.user("timed@example.com", verified=True)
    session.collection({"otp": {"enabled": True}})
    # auth-with-password is measured in mailtest.py.
    for path, body in (("request-password-reset", lambda a: {"email": a}), ("request-verification", lambda a: {"email": a}),
                       ("request-otp", lambda a: {"email": a}), ("auth-with-otp", None)):
        if path == "auth-with-otp":
            while sink.next(0.5):
                pass
            ids = []
            for number in range(6):
                session.user("timed%d@example.com" % number)
                ids.append(session.send("POST", USERS + "request-otp", {"email": "timed%d@example.com" % number}).json()["otpId"])
                sink.next()
            # Five tries are looked at for each.
            known, unknown, body = ids * 5, ["nosuch000000000"] * 30, lambda i: {"otpId": i, "password": "00000000"}
        else:
            known, unknown = ["timed@example.com"] * 60, ["absent@example.com"] * 60
        seen = {True: [], False: []}
        order = [(name, True) for name in known] + [(name, False) for name in unknown]
        random.Random(1).shuffle(order)
        for name, is_known in order:
            begin = time.perf_counter()
            session.send("POST", USERS + path, body(name))
            seen[is_known].append(time.perf_counter() - begin)
        known, unknown = statistics.median(seen[True]), statistics.median(seen[False])
        check("%s takes as long for who is there" % path, abs(known - unknown) < max(0.2 * max(known, unknown), 0.003), [known, unknown])
    session.collection({"otp": {"enabled": False}})
    while sink.next(0.2):
        pass


def endless_hash(session, sink):
    """A hash of the highest cost takes days; it must keep nobody else waiting."""
    session.user("quick@example.com")
    for number in range(3):
        record = session.user("endless%d@example.com" % number)
        with sqlite3.connect("%s/data.db" % session.server.dir, timeout=10) as database:
            database.execute("UPDATE users SET password = ? WHERE id = ?", ("$2a$31$" + "a" * 53, record["id"]))
    def knock(number):
        try:
            return requests.post(session.url + USERS + "auth-with-password", json={
                "identity": "endless%d@example.com" % (number % 3), "password": "x"}, timeout=2).status_code
        except requests.exceptions.Timeout:
            return "waiting"
    codes = at_once(12, knock)
    check("a hash of days waits, and what is too much is refused", codes.count("waiting") in (4, 5) and codes.count(503) >= 7, codes)
    begin = time.perf_counter()
    check("others sign in meanwhile", sign_in(session, "quick@example.com").status_code == 200)
    check("and soon", time.perf_counter() - begin < 3, time.perf_counter() - begin)


def foreign_options(session, sink, roost, pocketbase):
    """What a plugin's sign-in method has among a collection's options: PocketBase opens that, and Roost keeps it."""
    session.server.stop()
    with sqlite3.connect("%s/data.db" % session.server.dir, timeout=10) as database:
        options, = database.execute("SELECT options FROM _collections WHERE name = 'users'").fetchone()
        options = {**json.loads(options), "authMethods": {"passkey": {"enabled": True, "origins": ["https://example.com"], "signingSecret": "hidden"}}}
        database.execute("UPDATE _collections SET options = ? WHERE name = 'users'", (json.dumps(options),))
    for command, label in ((pocketbase, "PocketBase"), (roost, "Roost")):
        session.server.command = [os.path.abspath(command)]
        session.server.spawn()
        session.server.wait()
        session.url = session.server.url
        check("%s opens a folder with another's sign-in method" % label, sign_in(session, "quick@example.com").status_code == 200)
        if label == "Roost":
            shown = session.send("GET", "/api/collections/users", token=session.root).json().get("authMethods")
            check("its options are shown without secrets", shown == {"passkey": {"enabled": True, "origins": ["https://example.com"]}}, shown)
            session.collection({"otp": {"duration": 200}})
            check("and stay when the collection changes", secrets(session)["authMethods"]["passkey"].get("signingSecret") == "hidden")
        session.server.stop()


class Views(threading.Thread):
    """Views of a record, one after another, until it is told to stop."""

    def __init__(self, session, record, token):
        super().__init__()
        self.path, self.token = USERS + "records/" + record["id"], token
        self.port, self.times, self.ends = session.server.port, [], threading.Event()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self.ends.is_set():
            begin = time.perf_counter()
            connection.request("GET", self.path, headers={"Authorization": self.token})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            self.times.append(time.perf_counter() - begin)
            time.sleep(0.002)
        connection.close()

    @property
    def p99(self):
        return sorted(self.times)[int(len(self.times) * 0.99)]

    def measure(self, seconds):
        self.start()
        time.sleep(seconds)
        self.ends.set()
        self.join()
        return self


def memory(server):
    with open("/proc/%d/status" % server.process.pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def storm(session, seconds=3):
    """64 sign-ins in flight, by connections that are kept so that the clients cost little."""
    record = session.user("stormy@example.com")
    token = sign_in(session, "stormy@example.com").json()["token"]
    before, unloaded = memory(session.server), Views(session, record, token).measure(seconds)
    ends, done = threading.Event(), []
    body = json.dumps({"identity": "stormy@example.com", "password": PASSWORD})

    def knock():
        connection = http.client.HTTPConnection("127.0.0.1", session.server.port, timeout=60)
        while not ends.is_set():
            connection.request("POST", USERS + "auth-with-password", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            done.append(answer.status)

    knockers = [threading.Thread(target=knock) for _ in range(64)]
    for thread in knockers:
        thread.start()
    time.sleep(0.5)
    loaded = Views(session, record, token).measure(seconds)
    after = memory(session.server)
    ends.set()
    for thread in knockers:
        thread.join()
    return {"p99 unloaded ms": round(unloaded.p99 * 1000, 2), "p99 in the storm ms": round(loaded.p99 * 1000, 2),
            "p50 unloaded ms": round(statistics.median(unloaded.times) * 1000, 2), "p50 in the storm ms": round(statistics.median(loaded.times) * 1000, 2),
            "views": [len(unloaded.times), len(loaded.times)], "sign-ins": len(done), "statuses": sorted(set(done)), "RSS KiB": [before, after]}


def storms(session, sink):
    seen = storm(session)
    check("a storm of sign-ins is answered", seen["statuses"] == [200] and seen["sign-ins"] > 20, seen)
    # Generous, because the client shares the machine; --storm shows the figures.
    check("and starves nobody", seen["p99 in the storm ms"] < max(10 * seen["p99 unloaded ms"], 150), seen)
    check("nor takes memory", seen["RSS KiB"][1] - seen["RSS KiB"][0] < 60_000, seen)


def run(command, label, only_storm=False, pocketbase=None):
    with tempfile.TemporaryDirectory(prefix="authtest-") as home:
        server = Server(command, home, label)
        server.upsert_superuser()
        sink = Sink()
        server.spawn()
        try:
            server.wait()
            session = Session(server, label)
            mailtest.set_up(session, sink)
            if only_storm:
                print(label, storm(session, 10))
                return {}
            results = {}
            for step in STEPS:
                session.seen = []
                try:
                    step(session, sink)
                except Exception as error:  # what goes wrong in a step is its result
                    session.note("the step ended with", "%s: %s" % (type(error).__name__, error))
                results[step.__name__] = session.seen
                while sink.next(0.05):
                    pass
            if label == "Roost":
                for step in [one_wins, oversize, times, endless_hash, storms]:
                    step(session, sink)
                foreign_options(session, sink, command, pocketbase)
            return results
        finally:
            server.stop()
            sink.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--roost")
    parser.add_argument("--pocketbase")
    parser.add_argument("--storm", action="store_true")
    options = parser.parse_args()
    roost, pocketbase = find_roost(options.roost), find_pocketbase(options.pocketbase)
    if options.storm:
        for command, label in ((roost, "Roost"), (pocketbase, "PocketBase")):
            run(command, label, only_storm=True)
        return
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        theirs = pool.submit(run, pocketbase, "PocketBase")
        ours = pool.submit(run, roost, "Roost", pocketbase=pocketbase)
        theirs, ours = theirs.result(), ours.result()
    mailtest.compare(theirs, ours)


if __name__ == "__main__":
    main()
