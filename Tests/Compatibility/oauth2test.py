"""Signing in with accounts elsewhere, on PocketBase and Roost, each with a provider of its own that plays all of them.

    python Tests/Compatibility/oauth2test.py [--roost PATH] [--pocketbase PATH]

The same steps run on both; what they answer, and what they ask of the provider, must be equal."""

import argparse
import base64
import concurrent.futures
import contextlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import mailtest
from mailtest import PASSWORD, Session, check
from realtimetest import Events
from server import SUPERUSER_EMAIL, SUPERUSER_PASSWORD, Server, find_pocketbase, find_roost

USERS = "/api/collections/users/"
VOLATILE = [
    (re.compile(r'"(authURL|authUrl|state|codeVerifier|codeChallenge|logo|secret)": "(?:[^"\\]|\\.)+"'), r'"\1": "<there>"'),
    (re.compile(r"http://(?:192\.31\.196\.1|127\.0\.0\.1|localhost|%6cocalhost|example\.com\\+@127\.0\.0\.1):\d+"), "<provider>"),
    (re.compile(r'"(created|updated)": "[^"]*"'), r'"\1": "<time>"'),
    (re.compile(r'"(collectionId|recordRef|collectionRef)": "\w+"'), r'"\1": "<id>"'),
    (re.compile(r"[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}"), "<token>"),
    (re.compile(r'"expiry": "\d{4}-[^"]+"'), '"expiry": "<time>"'),
]


# Of the public internet, where it leads nowhere (RFC 7535).
PUBLIC = "192.31.196.1"


@contextlib.contextmanager
def public_address():
    """Gives this machine an address of the public internet for a while, to fetch pictures from; says so where that is not allowed."""
    change = lambda what: subprocess.run(["ip", "addr", what, PUBLIC + "/32", "dev", "lo"], capture_output=True).returncode == 0
    added = bool(shutil.which("ip")) and change("add")
    if not added:
        print("no public address can be had here: no picture is fetched")
    try:
        yield added
    finally:
        if added:
            change("del")


class Provider:
    """A provider that answers what the test says, and notes what it was asked."""

    def __init__(self, address="127.0.0.1"):
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words):
                pass

            def answer(self):
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size).decode()
                path = urllib.parse.urlsplit(self.path)
                noted = {name: self.headers[name] for name in (
                    "Authorization", "Notion-Version", "trakt-api-key", "trakt-api-version", "Client-Id") if self.headers[name]}
                kind = (self.headers.get("Content-Type") or "").split(";")[0]
                shown = sorted(urllib.parse.parse_qsl(body)) if "form" in kind else json.loads(body) if "json" in kind and body else body
                provider.asked.append([self.command, self.path, noted, kind, shown])
                status, kind, answer = provider.answer(path.path, noted, dict(urllib.parse.parse_qsl(body)))
                data = answer if isinstance(answer, bytes) else answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", answer)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.url = "http://%s:%d" % (address, self.server.server_port)
        self.asked = []
        self.pages = {}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path, headers, form):
        page = self.pages.get(path)
        if callable(page):
            page = page(headers, form)
        if page is None:
            return 404, "text/plain", "nothing here"
        return page if isinstance(page, tuple) else (200, "application/json", page)

    def take(self):
        """What it was asked since the last time."""
        asked, self.asked = self.asked, []
        return asked

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def note(session, name, value):
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    for pattern, shown in VOLATILE:
        text = pattern.sub(shown, text)
    for known in session.ids:
        text = text.replace(known, "<id>")
    session.seen.append((name, re.sub(r'"record": \{([^}]*)"id": "\w{15}"', r'"record": {\1"id": "<id>"', text)))


def configure(session, provider, *names, enabled=True, mapped=None, **more):
    options = []
    for name in names:
        options.append({"name": name, "clientId": "client & co", "clientSecret": "s:c/r?t", "authURL": provider.url + "/auth",
                        "tokenURL": provider.url + "/token", "userInfoURL": provider.url + "/user", **more})
    patch = {"oauth2": {"enabled": enabled, "providers": options}}
    if mapped is not None:
        patch["oauth2"]["mappedFields"] = mapped
    session.collection(patch)


def enter(session, provider, name, which="google", user=None, token=None, body=None, auth=None, emails=None, show=True):
    """Signs in with what the provider is to say; what came of it is noted."""
    if user is not None:
        provider.pages["/user"] = user
    if emails is not None:
        provider.pages["/user/emails"] = emails
    provider.pages["/token"] = token if token is not None else {"access_token": "T-" + which, "token_type": "bearer"}
    provider.take()
    answer = session.send("POST", USERS + "auth-with-oauth2", {
        "provider": which, "code": "the code", "codeVerifier": "the verifier", "redirectURL": "https://app.example.com/back",
        **(body or {})}, auth)
    data = answer.json()
    if show:
        note(session, name, [answer.status_code, data])
        note(session, name + ", asked", provider.take())
    if answer.status_code == 200 and "record" in data:
        session.ids.append(data["record"]["id"])
    return answer.status_code, data


def links(session, record):
    rows = [row for row in session.rows("_externalAuths") if row["recordRef"] == record["id"]]
    return sorted([row["provider"], row["providerId"]] for row in rows)


def forget(session):
    for row in session.rows("users"):
        session.send("DELETE", USERS + "records/" + row["id"], token=session.root)


def listing(session, provider):
    for token in (None, session.root):
        answer = session.send("GET", "/api/collections/meta/oauth2-providers", token=token)
        note(session, "the list of providers", [answer.status_code, answer.json()])
    names = [entry["name"] for entry in session.send("GET", "/api/collections/meta/oauth2-providers", token=session.root).json()]
    session.collection({"oauth2": {"enabled": True, "providers": [
        {"name": name, "clientId": "a b&c", "clientSecret": "s", "authURL": "https://x.example.com/a?b=c" if name[:4] in ("oidc", "mail") else "",
         "tokenURL": "https://x.example.com/t" if name[:4] in ("oidc", "mail") else "",
         "userInfoURL": "https://x.example.com/u" if name == "mailcow" else "",
         "displayName": "My own" if name == "oidc2" else "", "pkce": {"google": False, "vk": True}.get(name),
         "extra": {"idTokenEmailClaim": "email"} if name == "microsoft" else {}} for name in names]}})
    answer = session.send("GET", USERS + "auth-methods").json()
    for entry in answer["oauth2"]["providers"]:
        address = urllib.parse.urlsplit(entry["authURL"])
        pairs = [(key, "<there>" if key in ("state", "code_challenge") else value)
                 for key, value in urllib.parse.parse_qsl(address.query, keep_blank_values=True)]
        note(session, "the page of " + entry["name"], [address._replace(query="").geturl(), pairs, entry["authUrl"] == entry["authURL"]])
        verifier = entry["codeVerifier"]
        digest = base64.urlsafe_b64encode(__import__("hashlib").sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        note(session, "its proof", [len(entry["state"]), len(verifier), entry["codeChallenge"] in ("", digest), bool(entry["logo"])])
    note(session, "all of the methods", answer)
    note(session, "the order of keys", [list(answer), list(answer["oauth2"]), list(answer["oauth2"]["providers"][0])])
    session.collection({"oauth2": {"enabled": False}})
    note(session, "and off", session.send("GET", USERS + "auth-methods").json())


GOOD = {"id": "77", "sub": "77", "email": "ann@example.com"}
ACCOUNTS = {
    "google": [
        {"sub": "g1", "name": "Ann G", "picture": "https://x.example.com/p.png", "email": "ann@example.com", "email_verified": True},
        {"sub": "g1", "email": "ann@example.com", "email_verified": False}, {"sub": 5}, {"sub": "g1", "email_verified": "true"}],
    "microsoft": [{"id": "m1", "displayName": "Ann M", "mail": "ann@example.com"}, {"id": "m1", "mail": None}],
    "yandex": [
        {"id": "y1", "real_name": "Ann Y", "login": "ann", "default_email": "ann@example.com", "is_avatar_empty": False, "default_avatar_id": "a/b"},
        {"id": "y1", "is_avatar_empty": True, "default_avatar_id": "x"}],
    "facebook": [{"id": "f1", "name": "Ann F", "email": "ann@example.com", "picture": {"data": {"url": "https://x.example.com/f"}}}, {"id": "f2"}],
    "instagram2": [{"user_id": "i1", "name": "Ann I", "username": "ann.i", "profile_picture_url": "https://x.example.com/i"}],
    "github": [{"id": 12345678901, "login": "anngh", "name": "Ann H", "avatar_url": "https://x.example.com/h", "email": "other@example.com"},
               {"id": "12"}, {"login": "noid"}, {"id": 1.5}],
    "gitlab": [
        {"id": 7, "name": "Ann L", "username": "annl", "email": "ann@example.com", "avatar_url": "", "confirmed_at": "2020-01-02T03:04:05.000Z"},
        {"id": 7, "email": "ann@example.com", "confirmed_at": None}, {"id": 7, "email": "ann@example.com", "confirmed_at": "0001-01-01T00:00:00Z"},
        {"id": 7, "email": "ann@example.com", "confirmed_at": "yesterday"}],
    "bitbucket": [
        {"uuid": "{b-1}", "username": "annb", "display_name": "Ann B", "account_status": "active", "links": {"avatar": {"href": "https://x.example.com/b"}}},
        {"uuid": "{b-1}", "account_status": "inactive"}],
    "gitee": [{"id": 3, "login": "annge", "name": "Ann E", "email": "ann@example.com", "avatar_url": "u"}],
    "gitea": [{"id": 4, "login": "annt", "full_name": "Ann T", "avatar_url": "u", "active": True}, {"id": 4, "active": False}],
    "discord": [
        {"id": "d1", "username": "annd", "global_name": "Ann D", "discriminator": "0", "avatar": "hash", "email": "ann@example.com", "verified": True},
        {"id": "d1", "username": "annd", "discriminator": "1234", "verified": False, "email": "ann@example.com"}, {"id": "d1", "username": "annd", "discriminator": "0"}],
    "twitter": [{"data": {"id": "t1", "name": "Ann X", "username": "annx", "confirmed_email": "ann@example.com", "profile_image_url": "u"}}],
    "kakao": [
        {"id": 99, "properties": {"nickname": "annk", "profile_image": "u"}, "kakao_account": {"email": "ann@example.com", "is_email_verified": True, "is_email_valid": True}},
        {"id": 99, "kakao_account": {"email": "ann@example.com", "is_email_verified": True, "is_email_valid": False}}],
    "vk": [{"response": [{"id": 5, "first_name": " Ann", "last_name": "", "screen_name": "annv", "photo_max": "u"}]}, {"response": []}],
    "linear": [{"data": {"viewer": {"id": "l1", "displayName": "annl", "name": "Ann L", "email": "ann@example.com", "avatarUrl": "u", "active": True}}},
               {"data": {"viewer": {"id": "l1", "active": False}}}],
    "notion": [{"bot": {"owner": {"type": "user", "user": {"id": "n1", "name": "Ann N", "avatar_url": "u", "person": {"email": "ann@example.com"}}}}}],
    "monday": [{"data": {"me": {"id": "o1", "enabled": True, "name": "Ann O", "email": "ann@example.com", "is_verified": True, "photo_small": "u"}}},
               {"data": {"me": {"id": "o1", "enabled": True, "email": "ann@example.com"}}}, {"data": {"me": {"id": "o1"}}}],
    "lark": [{"data": {"union_id": "k1", "name": "Ann K", "avatar_url": "u"}}],
    "box": [{"id": "x1", "name": "Ann X", "login": "ann@example.com", "avatar_url": "u", "status": "active"}, {"id": "x1", "status": "inactive"}],
    "spotify": [{"id": "s1", "display_name": "Ann S", "images": [{"url": "u"}, {"url": "v"}], "email": "ann@example.com"}, {"id": "s1"}],
    "trakt": [{"user": {"username": "annt", "name": "Ann T", "ids": {"slug": "ann", "uuid": "tr1"}, "images": {"avatar": {"full": "u"}}}}],
    "twitch": [{"data": [{"id": "w1", "login": "annw", "display_name": "Ann W", "email": "ann@example.com", "profile_image_url": "u"}]}, {"data": []}],
    "patreon": [
        {"data": {"id": "p1", "attributes": {"email": "ann@example.com", "full_name": "Ann P", "vanity": "annp", "image_url": "u", "is_email_verified": True}}},
        {"data": {"id": "p1", "attributes": {"email": "ann@example.com", "is_email_verified": False}}}],
    "strava": [{"id": 8, "firstname": "Ann", "lastname": "V", "username": "annv", "profile": "u"}, {"id": 8}],
    "wakatime": [
        {"data": {"id": "a1", "display_name": "Ann A", "username": "anna", "email": "ann@example.com", "photo": "u", "photo_public": True, "is_email_confirmed": True}},
        {"data": {"id": "a1", "photo": "u", "email": "ann@example.com"}}],
    "livechat": [{"account_id": "c1", "name": "Ann C", "email": "ann@example.com", "email_verified": True, "avatar_url": "u"},
                 {"account_id": "c1", "email": "ann@example.com", "email_verified": False}],
    "mailcow": [{"id": "mc", "username": "ann@mail.example.com", "email": "ann@example.com", "full_name": "Ann MC", "active": 1}, {"id": "mc", "active": 0}],
    # PocketBase 0.40.6 takes every account of this one for inactive.
    "planningcenter": [{"data": {"id": "pc", "attributes": {"status": "inactive"}}}],
    "oidc": [
        {"sub": "o1", "name": "Ann", "preferred_username": "ann", "picture": "u", "email": "ann@example.com", "email_verified": True},
        {"sub": "o1", "email": "ann@example.com", "email_verified": "1"}, {"sub": "o1", "email": "ann@example.com", "email_verified": "yes"},
        {"sub": "o1", "email": "ann@example.com", "email_verified": 1}, {"sub": "o1", "email": "ann@example.com"}],
}


def accounts(session, provider):
    for which, users in ACCOUNTS.items():
        configure(session, provider, which)
        for index, user in enumerate(users):
            forget(session)
            emails = {"values": [{"email": "no@example.com", "is_primary": True}, {"email": "yes@example.com", "is_primary": True, "is_confirmed": True}]} \
                if which == "bitbucket" else [{"email": "no@example.com", "primary": True}, {"email": "yes@example.com", "primary": True, "verified": True}]
            status, data = enter(session, provider, "%s %d" % (which, index), which, user, emails=emails,
                                 token={"access_token": "A", "token_type": "Bearer", "refresh_token": "R", "expires_in": 3600,
                                        "email": "vk@example.com", "permissions": ["a", "b"]})
            if status == 200:
                note(session, "its record", session.view(data["record"]))
                note(session, "its links", links(session, data["record"]))
    for which in ("github", "gitea", "bitbucket"):
        configure(session, provider, which)
        for emails in ((403, "text/plain", "no"), (401, "text/plain", ""), (500, "application/json", "[]"), (200, "application/json", "no json"), [],
                       (404, "application/json", "{}")):
            forget(session)
            provider.pages["/user/emails"] = emails
            enter(session, provider, "%s with addresses %s" % (which, emails), which, ACCOUNTS[which][0])


def odd_answers(session, provider):
    configure(session, provider, "oidc")
    for user in ("no json", [], "[]", "null", {}, {"sub": ""}, {"sub": None}, (400, "application/json", {"sub": "x"}),
                 (200, "text/html", '{"sub": "html"}'), (302, "application/json", "/moved")):
        forget(session)
        provider.pages["/moved"] = {"sub": "moved"}
        enter(session, provider, "an account of %s" % (user,), "oidc", user)
    user = {"sub": "t1"}
    for token in (
            "no json", {}, {"access_token": ""}, {"error": "denied", "access_token": "x"}, {"access_token": 5}, (400, "application/json", {"error": "invalid_grant"}),
            (200, "application/x-www-form-urlencoded", "access_token=F%20orm&token_type=bearer&expires_in=1000&refresh_token=r"),
            (200, "text/plain; charset=utf-8", "access_token=P"), (200, "text/plain", "nothing"), (201, "application/json", {"access_token": "created"}),
            {"access_token": "x", "token_type": "MAC"}, {"access_token": "x", "token_type": "basic"}, {"access_token": "x", "token_type": "DPoP"},
            {"access_token": "x", "expires_in": "60"}, {"access_token": "x", "expires_in": 0}, {"access_token": "x", "expires_in": 1e300},
            {"access_token": "x", "expires_in": "soon"}, {"access_token": "x", "expires_in": None},
            (500, "application/json", {"access_token": "x"})):
        forget(session)
        # A token address of its own, so that nothing is known of it yet.
        configure(session, provider, "oidc", tokenURL=provider.url + "/token?%d" % len(session.seen))
        enter(session, provider, "a token of %s" % (token,), "oidc", user, token)
    # Who wants the secret in the body says so by refusing the header.
    configure(session, provider, "oidc", tokenURL=provider.url + "/token?body")
    picky = lambda headers, form: {"access_token": "x"} if form.get("client_secret") else (401, "application/json", {"error": "invalid_client"})
    enter(session, provider, "the secret in the body", "oidc", user, picky)
    if session.label == "Roost":
        forget(session)
        enter(session, provider, "", "oidc", user, picky, show=False)
        check("Roost remembers where the secret is wanted", [asked[1] for asked in provider.take()] == ["/token?body", "/user"])
    configure(session, provider, "oidc", pkce=False)
    enter(session, provider, "without a proof", "oidc", user)
    enter(session, provider, "without an address to come back to", "oidc", user, body={"redirectURL": ""})
    enter(session, provider, "with the old name of that address", "oidc", user, body={"redirectURL": "", "redirectUrl": "https://old.example.com"})
    configure(session, provider, "oidc", tokenURL="http://127.0.0.1:1/token")
    enter(session, provider, "nobody there", "oidc", user)


def forms(session, provider):
    configure(session, provider, "google", "oidc")
    path = USERS + "auth-with-oauth2"
    for body in ({}, {"provider": "google"}, {"code": "x"}, {"provider": "github", "code": "x"}, {"provider": "g" * 101, "code": "x"},
                 {"provider": 5, "code": "x"}, {"provider": "google", "code": 5}, {"provider": "google", "code": "x", "createData": []},
                 {"provider": "google", "code": "x", "createData": "x"}, {"provider": "GOOGLE", "code": "x"}, {"provider": None, "code": None}):
        answer = session.send("POST", path, body)
        note(session, "a form of %s" % (body,), [answer.status_code, answer.json()])
    answer = session.http.post(session.url + path, data="{", headers={"Content-Type": "application/json"})
    note(session, "a broken form", [answer.status_code, answer.json()])
    provider.pages["/user"] = {"sub": "form1"}
    provider.pages["/token"] = {"access_token": "x"}
    answer = session.http.post(session.url + path, data={"provider": "google", "code": "x", "codeVerifier": "v"})
    note(session, "a form in the old way", [answer.status_code, answer.json()])
    for collection in ("nope", "_superusers", "posts"):
        answer = session.send("POST", "/api/collections/%s/auth-with-oauth2" % collection, {"provider": "google", "code": "x"})
        note(session, "in the collection " + collection, [answer.status_code, answer.json()])
    configure(session, provider, "google", enabled=False)
    answer = session.send("POST", path, {"provider": "google", "code": "x"})
    note(session, "when it is off", [answer.status_code, answer.json()])


def google(sub, email="", verified=True, **more):
    return {"sub": sub, "email": email, "email_verified": verified, **more}


def linking(session, provider):
    configure(session, provider, "google", "oidc")
    forget(session)
    status, ann = enter(session, provider, "somebody new", user=google("1", "ann@example.com", name="Ann"))
    record = ann["record"]
    note(session, "is verified", session.view(record))
    enter(session, provider, "the same again", user=google("1", "ann@example.com"))
    enter(session, provider, "with another address now", user=google("1", "other@example.com"))
    note(session, "keeps hers", session.view(record)["email"])
    enter(session, provider, "by another provider and the same address", "oidc", {"sub": "o", "email": "ann@example.com", "email_verified": True})
    note(session, "two links", links(session, record))
    enter(session, provider, "the address in capitals", "oidc", {"sub": "o2", "email": "ANN@example.com", "email_verified": True})
    # An account that somebody made before, with an address that was not theirs.
    forget(session)
    bob = session.user("bob@example.com", name="Bob")
    old = session.send("POST", USERS + "auth-with-password", {"identity": "bob@example.com", "password": PASSWORD}).json()["token"]
    enter(session, provider, "the owner of an unverified address", user=google("b", "bob@example.com"))
    note(session, "is verified now", session.view(bob))
    note(session, "the password of before is over", session.send(
        "POST", USERS + "auth-with-password", {"identity": "bob@example.com", "password": PASSWORD}).status_code)
    note(session, "and the token too", session.send("POST", USERS + "auth-refresh", {}, old).status_code)
    # A verified one keeps its password.
    carol = session.user("carol@example.com", verified=True)
    enter(session, provider, "the owner of a verified address", user=google("c", "carol@example.com"))
    note(session, "keeps the password", session.send(
        "POST", USERS + "auth-with-password", {"identity": "carol@example.com", "password": PASSWORD}).status_code)
    # Unverified, with links of somebody else
    dave = session.user("dave@example.com")
    for which, number in (("oidc", "evil1"), ("google", "evil2")):
        session.send("POST", "/api/collections/_externalAuths/records", {
            "collectionRef": dave["collectionId"], "recordRef": dave["id"], "provider": which, "providerId": number}, session.root)
    note(session, "links of before", links(session, dave))
    enter(session, provider, "by another link of the same", "oidc", {"sub": "dave", "email": "dave@example.com", "email_verified": True})
    note(session, "they are gone", links(session, dave))
    # Linked, unverified, another address
    erin = session.user("erin@example.com")
    session.send("POST", "/api/collections/_externalAuths/records", {
        "collectionRef": erin["collectionId"], "recordRef": erin["id"], "provider": "google", "providerId": "e"}, session.root)
    enter(session, provider, "linked with another address", user=google("e", "else@example.com"))
    note(session, "stays unverified", session.view(erin))
    note(session, "and linked", links(session, erin))
    # Linked, unverified, without an address: what the provider gives is checked like any other
    gus = session.user("gus@example.com")
    session.send("POST", "/api/collections/_externalAuths/records", {
        "collectionRef": gus["collectionId"], "recordRef": gus["id"], "provider": "google", "providerId": "gus"}, session.root)
    session.send("PATCH", USERS + "records/" + gus["id"], {"email": ""}, session.root)
    status, _ = enter(session, provider, "", user=google("gus", "no address"), show=False)
    note(session, "an address that is none is not taken", [status, "no address" in json.dumps(session.rows("users"))])
    # Signed in already
    frank = session.user("frank@example.com")
    token = session.send("POST", USERS + "auth-with-password", {"identity": "frank@example.com", "password": PASSWORD}).json()["token"]
    enter(session, provider, "linking while signed in", user=google("f", "frank.private@example.com"), auth=token)
    note(session, "stays as it was", session.view(frank))
    note(session, "with the link", links(session, frank))
    note(session, "and the password", session.send(
        "POST", USERS + "auth-with-password", {"identity": "frank@example.com", "password": PASSWORD}).status_code)
    enter(session, provider, "as the account of another while signed in", user=google("c", "carol@example.com"), auth=token)
    enter(session, provider, "as a superuser", user=google("su", "su@example.com"), auth=session.root)
    # Nobody's address
    _, data = enter(session, provider, "without an address", user=google("none"))
    note(session, "is verified without one", session.view(data["record"]))
    enter(session, provider, "and gets one later", user=google("none", "late@example.com"))
    note(session, "that is kept", session.view(data["record"]))
    # The record went, its link stayed for a moment
    session.send("DELETE", USERS + "records/" + data["record"]["id"], token=session.root)
    enter(session, provider, "after the record went", user=google("none", "late@example.com"))


def creating(session, provider):
    session.collection({"fields": session.send("GET", "/api/collections/users", token=session.root).json()["fields"] + [
        {"name": "handle", "type": "text", "min": 3, "max": 8, "pattern": "^[a-z]+$"}, {"name": "picture", "type": "text"},
        {"name": "sub", "type": "text"}, {"name": "age", "type": "number", "max": 100}, {"name": "hush", "type": "text", "hidden": True}],
        "indexes": session.send("GET", "/api/collections/users", token=session.root).json()["indexes"] + [
            "CREATE UNIQUE INDEX users_handle ON users (handle COLLATE NOCASE) WHERE handle != ''"]})
    mapped = {"id": "sub", "name": "name", "username": "handle", "avatarURL": "picture"}
    configure(session, provider, "oidc", mapped=mapped)
    forget(session)
    user = {"sub": "1", "email": "ann@example.com", "email_verified": True, "name": "Ann", "preferred_username": "annie", "picture": "https://x.example.com/p"}

    def made(name, body=None, auth=None, **changes):
        status, data = enter(session, provider, name, "oidc", {**user, **changes}, body=body, auth=auth)
        note(session, name + ", made", session.view(data["record"]) if status == 200 and "record" in data else None)

    made("with mapped fields")
    made("a name that is taken", sub="2", email="b@example.com")
    made("a name that is too short", sub="3", email="c@example.com", preferred_username="x")
    made("a name that does not fit", sub="4", email="d@example.com", preferred_username="Ann-1")
    made("a name taken in other letters", sub="4b", email="d2@example.com", preferred_username="ANNIE")
    made("no name", sub="5", email="e@example.com", preferred_username="")
    made("with data", {"createData": {"name": "Own", "age": 5, "handle": "mine", "sub": "", "hush": "x", "emailVisibility": True}}, sub="6", email="f@example.com")
    made("with an address of one's own", {"createData": {"email": "own@example.com"}}, sub="7", email="g@example.com")
    made("with an empty address", {"createData": {"email": ""}}, sub="8", email="h@example.com")
    made("with a password", {"createData": {"password": "own-password", "passwordConfirm": "own-password"}}, sub="9", email="i@example.com")
    made("with a password that is not repeated", {"createData": {"password": "own-password"}}, sub="10", email="j@example.com")
    made("with a short password", {"createData": {"password": "x", "passwordConfirm": "x"}}, sub="11", email="k@example.com")
    made("with data that is not valid", {"createData": {"age": 500}}, sub="12", email="l@example.com")
    made("with verified in it", {"createData": {"verified": True}}, sub="13", email="m@example.com")
    made("with an id", {"createData": {"id": "chosen000000001"}}, sub="14", email="n@example.com")
    made("with unknown data", {"createData": {"nope": 1, "nested": {"a": [1]}}}, sub="15", email="o@example.com")
    # Whatever a provider calls somebody is never a query.
    for number, sub in enumerate(("x\\' || id != \"\" //", "' || id != '' //", "a\\\\b\\", "\"quoted\"", "\u0600' || 1=1 //", "'\u0301 || id != '' //", "{:c}")):
        for time_ in ("first", "second"):
            made("as %s, the %s time" % (ascii(sub), time_), sub=sub, email="q%d@example.com" % number, preferred_username="quoted%d" % number)
    made("with an address that is taken", {"createData": {"email": "ann@example.com"}}, sub="16", email="p@example.com")
    note(session, "the password is good", session.send(
        "POST", USERS + "auth-with-password", {"identity": "i@example.com", "password": "own-password"}).status_code)
    for rule in (None, "@request.context = 'oauth2'", "@request.context != 'oauth2'", "age > 10", "@request.body.age = 11", "@request.method = 'POST'",
                 "@request.body.email ~ 'example' && verified = false", "@request.query.q = ''"):
        session.collection({"createRule": rule})
        made("by the create rule %s" % rule, {"createData": {"age": 11}}, sub="r" + str(len(session.seen)), email="r%d@example.com" % len(session.seen))
    session.collection({"createRule": ""})
    for rule in (None, "verified = true", "@request.context = 'oauth2'", "@request.context = 'default'", "email ~ 'nobody'"):
        session.collection({"authRule": rule})
        made("by the auth rule %s" % rule, sub="a" + str(len(session.seen)), email="a%d@example.com" % len(session.seen))
    session.collection({"authRule": ""})
    # What a collection asks of passwords is for those that people choose.
    fields = session.send("GET", "/api/collections/users", token=session.root).json()["fields"]
    session.collection({"fields": [{**field, "min": 40, "pattern": "^only-this$"} if field["name"] == "password" else field for field in fields]})
    made("where passwords are hard", sub="p1", email="hard@example.com")
    session.user_hard = session.send("POST", USERS + "records", {
        "email": "soft@example.com", "password": "only-this", "passwordConfirm": "only-this"}, session.root)
    note(session, "and for those who are there", session.user_hard.status_code)
    session.collection({"fields": [{**field, "pattern": "", "min": 8} if field["name"] == "password" else field for field in fields]})
    # Two proofs
    session.collection({"mfa": {"enabled": True, "duration": 60}, "otp": {"enabled": True}})
    status, data = enter(session, provider, "the first of two proofs", "oidc", {**user, "sub": "1"}, show=False)
    note(session, "the first of two proofs", [status, sorted(data)])
    session.collection({"mfa": {"enabled": False}})
    # Files as pictures: from the operator's own network nothing is fetched.
    session.collection({"fields": fields + [{"name": "photo", "type": "file", "maxSelect": 1}]})
    configure(session, provider, "oidc", mapped={**mapped, "avatarURL": "photo"})
    provider.pages["/p.png"] = (200, "image/png", b"\x89PNG\r\n\x1a\n")
    for place in (provider.url + "/p.png", "http://localhost:%d/p.png" % provider.server.server_port, "http://[::1]/p", "http://10.0.0.1/p", "file:///etc/passwd",
                  "nonsense", "", "http://user@127.0.0.1/p", "http://0x7f000001/p", "http://169.254.169.254/latest", "http://[::ffff:127.0.0.1]/p",
                  "http://example.com\\@127.0.0.1:%d/p.png" % provider.server.server_port, "http://%6cocalhost:{0}/p.png".format(provider.server.server_port)):
        made("a picture at %s" % place.replace(str(provider.server.server_port), "PORT"), sub="f%d" % len(session.seen), email="f%d@example.com" % len(session.seen),
             picture=place)
    note(session, "nobody looked", [asked for asked in provider.take() if "p.png" in asked[1]])
    if FETCHES:
        picture, gone = provider.pages["/p.png"], provider.url
        provider = elsewhere = Provider(PUBLIC)
        elsewhere.pages.update({
            "/p.png": picture, "/on": (302, "text/plain", "/p.png"), "/far": (307, "text/plain", elsewhere.url + "/p.png?x=1"), "/round": (302, "text/plain", "/round"),
            "/in": (302, "text/plain", gone + "/p.png"), "/other": (302, "text/plain", "ftp://%s/p.png" % PUBLIC), "/refused": (500, "image/png", picture[2])})
        configure(session, provider, "oidc", mapped={**mapped, "avatarURL": "photo"})
        for place in ("/p.png", "/on", "/far", "/round", "/in", "/other", "/refused", "/gone"):
            status, data = enter(session, provider, "", "oidc", {**user, "sub": place, "email": "at%s@example.com" % place[1:], "picture": elsewhere.url + place}, show=False)
            kept = data["record"]["photo"] if status == 200 else data
            note(session, "a picture at %s of the public internet" % place, re.sub(r"^\w+\.", "<name>.", kept))
            if kept:
                file = session.http.get("%s/api/files/users/%s/%s" % (session.url, data["record"]["id"], kept))
                note(session, "it is the picture", file.content == picture[2])
        elsewhere.stop()
    events = session.send("GET", "/api/collections/users/records?perPage=1", token=session.root)
    note(session, "still there", events.status_code)


def openssl(*words, data=None):
    return subprocess.run(["openssl", *words], input=data, capture_output=True, check=True).stdout


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


class Keys:
    """An RSA and an Ed25519 key, made once for both servers."""

    def __init__(self, home):
        self.home, self.now = home, int(time.time())
        self.rsa, self.ed = os.path.join(home, "rsa.pem"), os.path.join(home, "ed.pem")
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.rsa)
        openssl("genpkey", "-algorithm", "ED25519", "-out", self.ed)
        modulus = openssl("rsa", "-in", self.rsa, "-noout", "-modulus").decode().split("=")[1].strip()
        public = openssl("pkey", "-in", self.ed, "-pubout", "-outform", "DER")
        self.set = {"keys": [
            {"kty": "RSA", "kid": "noalg", "n": "AQAB", "e": "AQAB"},
            *({"kty": "RSA", "use": "sig", "kid": name.lower(), "alg": name, "n": b64(bytes.fromhex(modulus)), "e": "AQAB"}
              for name in ("RS256", "RS512", "PS256")),
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "alg": "EdDSA", "x": b64(public[-32:])},
            {"kty": "EC", "kid": "ec", "alg": "ES256"}]}

    def token(self, claims, algorithm="RS256", kid=None, spoil=False):
        head = b64({"alg": algorithm, "typ": "JWT", "kid": kid if kid is not None else ("ed" if algorithm == "EdDSA" else algorithm.lower())})
        part = head + "." + b64(claims)
        data = os.path.join(self.home, "data%d" % threading.get_ident())
        with open(data, "wb") as file:
            file.write(part.encode())
        if algorithm == "EdDSA":
            signature = openssl("pkeyutl", "-sign", "-inkey", self.ed, "-rawin", "-in", data)
        elif algorithm == "none":
            signature = b""
        else:
            more = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"] if algorithm.startswith("PS") else []
            signature = openssl("dgst", "-sha" + algorithm[2:], "-sign", self.rsa, *more, data)
        if spoil:
            signature = bytes([signature[0] ^ 1]) + signature[1:]
        return part + "." + b64(signature)


KEYS = None


def id_tokens(session, provider):
    provider.pages["/keys"] = KEYS.set
    now = KEYS.now
    good = {"sub": "s1", "aud": "client & co", "iss": "https://issuer.example.com", "exp": now + 600, "iat": now, "email": "ann@example.com", "email_verified": True}

    def come(name, token, **extra):
        forget(session)
        configure(session, provider, "oidc", userInfoURL="", extra=extra)
        enter(session, provider, name, "oidc", token={"access_token": "x", "id_token": token})

    come("by the token alone", KEYS.token(good))
    for name, change in (("of somebody else", {"aud": "other"}), ("for several", {"aud": ["other", "client & co"]}), ("for nobody", {"aud": None}),
                         ("over", {"exp": now - 1000}), ("just over", {"exp": now - 60}), ("without an end", {"exp": None}), ("of the future", {"iat": now + 1000}),
                         ("not yet", {"nbf": now + 1000}), ("with a wrong end", {"exp": "soon"}), ("without a subject", {"sub": None})):
        come("a token " + name, KEYS.token({key: value for key, value in {**good, **change}.items() if value is not None}))
    for token in ("", "a.b.c", "nonsense", "..", KEYS.token(good)[:-400]):
        come("a token that is none: %s" % token[:12], token)
    address = provider.url + "/keys"
    for algorithm in ("RS256", "RS512", "PS256", "EdDSA"):
        come("signed by " + algorithm, KEYS.token(good, algorithm), jwksURL=address)
        come("spoilt, by " + algorithm, KEYS.token(good, algorithm, spoil=True), jwksURL=address)
    come("signed by an unknown key", KEYS.token(good, kid="nope"), jwksURL=address)
    come("signed by a key without an algorithm", KEYS.token(good, kid="noalg"), jwksURL=address)
    come("signed by a key of another kind", KEYS.token(good, kid="ec"), jwksURL=address)
    come("signed in another way than the key", KEYS.token(good, "RS512", kid="rs256"), jwksURL=address)
    come("not signed", KEYS.token(good, "none", kid="rs256"), jwksURL=address)
    come("without a key's name", KEYS.token(good, kid=""), jwksURL=address)
    come("keys that are nowhere", KEYS.token(good), jwksURL=provider.url + "/nowhere")
    come("by the right issuer", KEYS.token(good), issuers=["https://x.example.com", "https://issuer.example.com"])
    come("by another issuer", KEYS.token(good), issuers=["https://x.example.com"])
    # Microsoft: which address to believe
    for choice in ("", "any_verified", "verified_primary_email", "email_and_xms_edov", "email", "nonsense"):
        for claims in ({}, {"verified_primary_email": "p@example.com"}, {"email": "e@example.com"}, {"email": "e@example.com", "xms_edov": True},
                       {"email": "e@example.com", "xms_edov": "1", "verified_primary_email": "p@example.com"}, {"email": "e@example.com", "iat": now + 5000}):
            forget(session)
            configure(session, provider, "microsoft", extra={"idTokenEmailClaim": choice} if choice else {})
            enter(session, provider, "microsoft %s %s" % (choice, sorted(claims)), "microsoft", {"id": "m", "mail": "mail@example.com"},
                  {"access_token": "x", "id_token": KEYS.token(claims)})


def redirects(session, provider):
    path = "/api/oauth2-redirect"

    def go(name, query=None, form=None, source=None):
        method = "POST" if form is not None else "GET"
        kept = session.http.request(method, session.url + path, params=query, data=form, allow_redirects=False)
        note(session, name, [kept.status_code, kept.headers.get("Location")])

    def waiting(topic="@oauth2"):
        events = Events(session.server.port)
        answer = session.send("POST", "/api/realtime", {"clientId": events.id, "subscriptions": [topic]})
        assert answer.status_code == 204, answer.text
        return events

    def shown(events):
        time.sleep(0.2)
        return [{**json.loads(event["data"]), "state": "<client>"} | {"event": event["event"]} for event in events.events[1:]]

    for query in ({}, {"state": "nobody"}, {"state": "nobody", "code": "x"}):
        go("nobody waits %s" % query, query)
        go("nobody waits, by a form %s" % query, form=query)
    for name, query in (("a code", {"code": "c1"}), ("an error", {"error": "denied"}), ("both", {"code": "c", "error": "e"}), ("neither", {})):
        events = waiting()
        go("with " + name, {"state": events.id, **query})
        note(session, "with %s, told" % name, shown(events))
        go("with %s, again" % name, {"state": events.id, **query})
        note(session, "with %s, told once" % name, shown(events))
        events.close()
    events = waiting()
    go("by a form", form={"state": events.id, "code": "c2", "user": '{"name": {"firstName": "Ann", "lastName": "A"}}'})
    note(session, "by a form, told", shown(events))
    events.close()
    events = waiting()
    began = time.monotonic()
    go("by a form with a name that never ends", form={"state": events.id, "code": "c3", "user": json.dumps({"name": {"firstName": "\U0001F1E9" * 100_000}}, ensure_ascii=False)})
    note(session, "soon", time.monotonic() - began < 3)
    events.close()
    for topic in ("users/*", "@oauth2?x=1"):
        events = waiting(topic)
        go("who waits for something else: %s" % topic, {"state": events.id, "code": "c"})
        note(session, "is told nothing", shown(events))
        events.close()
    answer = session.http.post(session.url + path, data="{", headers={"Content-Type": "application/json"}, allow_redirects=False)
    note(session, "a broken form", [answer.status_code, answer.headers.get("Location")])


def apple_secrets(session, provider):
    path = "/api/settings/apple/generate-client-secret"
    with tempfile.TemporaryDirectory() as home:
        key = os.path.join(home, "key.pem")
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        pem = open(key).read()
        good = {"clientId": "com.example", "teamId": "TEAM567890", "keyId": "KEY4567890", "privateKey": pem, "duration": 3600}
        for name, change, token in (
                ("good", {}, session.root), ("as a guest", {}, None), ("no client", {"clientId": ""}, session.root), ("a short team", {"teamId": "x"}, session.root),
                ("a long key", {"keyId": "x" * 11}, session.root), ("no key", {"privateKey": ""}, session.root), ("no such key", {"privateKey": "x"}, session.root),
                ("a broken key", {"privateKey": "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"}, session.root), ("no time", {"duration": 0}, session.root),
                ("a negative time", {"duration": -1}, session.root), ("too long", {"duration": 15777001}, session.root), ("long", {"duration": 15777000}, session.root),
                ("numbers for texts", {"teamId": 5}, session.root), ("text for a number", {"duration": "5"}, session.root), ("spaces around", {"privateKey": "\n" + pem + "\n"}, session.root)):
            answer = session.send("POST", path, {**good, **change}, token)
            data = answer.json()
            if answer.status_code == 200:
                head, claims, signature = data["secret"].split(".")
                parts = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, claims)]
                parts[1]["exp"] -= parts[1]["iat"]
                del parts[1]["iat"]
                raw = base64.urlsafe_b64decode(signature + "==")
                number = lambda part: (lambda part: b"\x02" + bytes([len(part)]) + part)((b"\0" if part[0] & 0x80 else b"") + part)
                short = lambda part: part.lstrip(b"\0") or b"\0"
                body = number(short(raw[:32])) + number(short(raw[32:]))
                with open(os.path.join(home, "sig"), "wb") as file:
                    file.write(b"\x30" + bytes([len(body)]) + body)
                with open(os.path.join(home, "pub"), "wb") as file:
                    file.write(openssl("pkey", "-in", key, "-pubout"))
                verdict = openssl("dgst", "-sha256", "-verify", os.path.join(home, "pub"), "-signature", os.path.join(home, "sig"), data=(head + "." + claims).encode())
                data = [parts, len(raw), verdict.decode()]
            note(session, "a secret: " + name, [answer.status_code, data])
        answer = session.send("POST", path, good, session.root)
        check("%s gives a secret of three parts" % session.label, answer.json().get("secret", "").count(".") == 2)


STEPS = [listing, accounts, odd_answers, forms, linking, creating, id_tokens, redirects, apple_secrets]


def run(command, label, only):
    with tempfile.TemporaryDirectory(prefix="oauth2test-") as home:
        server = Server(command, home, label)
        server.upsert_superuser()
        server.spawn()
        provider = Provider()
        try:
            server.wait()
            session = Session(server, label)
            session.root = session.send("POST", "/api/collections/_superusers/auth-with-password", {
                "identity": SUPERUSER_EMAIL, "password": SUPERUSER_PASSWORD}).json()["token"]
            fields = session.send("GET", "/api/collections/users", token=session.root).json()["fields"]
            session.collection({"authAlert": {"enabled": False}, "authRule": "", "createRule": "", "fields": [
                {**field, "cost": 4} if field["name"] == "password" else field for field in fields]})
            assert session.send("POST", "/api/collections", {"name": "posts", "type": "base"}, session.root).status_code == 200
            session.ids.append(session.send("GET", "/api/collections/users", token=session.root).json()["id"])
            results = {}
            for step in STEPS:
                if only and step.__name__ not in only:
                    continue
                session.seen = []
                try:
                    step(session, provider)
                except Exception as error:  # what goes wrong in a step is its result
                    session.note("the step ended with", "%s: %s" % (type(error).__name__, error))
                results[step.__name__] = session.seen
            return results
        finally:
            server.stop()
            provider.stop()


def main():
    global KEYS, FETCHES
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--roost")
    parser.add_argument("--pocketbase")
    parser.add_argument("--only", action="append", help="a step; may be given several times")
    options = parser.parse_args()
    roost, pocketbase = find_roost(options.roost), find_pocketbase(options.pocketbase)
    with tempfile.TemporaryDirectory(prefix="oauth2keys-") as home, concurrent.futures.ThreadPoolExecutor(2) as pool, public_address() as FETCHES:
        KEYS = Keys(home)
        theirs = pool.submit(run, pocketbase, "PocketBase", options.only)
        ours = pool.submit(run, roost, "Roost", options.only)
        theirs, ours = theirs.result(), ours.result()
    mailtest.compare(theirs, ours)


if __name__ == "__main__":
    main()
