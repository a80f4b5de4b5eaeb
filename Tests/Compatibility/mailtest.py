"""Every flow of signing in that goes by mail, against PocketBase and Roost, each with a mail server of its own.

    python Tests/Compatibility/mailtest.py [--roost PATH] [--pocketbase PATH]

The same steps run on both; what they answer and what the mails say must be equal, token for token. What Roost promises
beyond PocketBase (a token counts once however many ask at the same time, …) is checked on Roost alone."""

import argparse
import concurrent.futures
import email
import email.policy
import html
import json
import logging
import queue
import re
import statistics
import socket
import sys
import tempfile
import threading
import time
import urllib.parse
import warnings

import requests
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from server import SUPERUSER_EMAIL, SUPERUSER_PASSWORD, Server, find_pocketbase, find_roost, free_port

# The test's own mail servers ask for passwords on an open line, on loopback.
warnings.filterwarnings("ignore", module="aiosmtpd")
logging.getLogger("mail.log").setLevel(logging.CRITICAL)
PASSWORD = "password123"
passed = failed = 0


def check(name, condition, seen=None):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print("FAIL %s%s" % (name, "" if seen is None else ": %r" % (seen,)))


class Sink:
    """A mail server on loopback that keeps what it gets."""

    def __init__(self, refuses=False, **options):
        self.mails = queue.Queue()
        self.logins = []
        self.refuses = refuses
        self.controller = Controller(self, hostname="127.0.0.1", port=free_port(), **options)
        self.controller.start()

    @property
    def port(self):
        return self.controller.port

    async def handle_DATA(self, server, session, envelope):
        if self.refuses:
            return "554 no"
        self.mails.put(Mail(envelope))
        return "250 OK"

    def authenticate(self, server, session, envelope, mechanism, data):
        self.logins.append((mechanism, data.login, data.password))
        return AuthResult(success=data.password == b"smtp-secret")

    def next(self, seconds=10):
        """The next mail; None when none comes."""
        try:
            return self.mails.get(timeout=seconds)
        except queue.Empty:
            return None

    def stop(self):
        self.controller.stop()


class Mail:
    def __init__(self, envelope):
        self.sender, self.recipients = envelope.mail_from, envelope.rcpt_tos
        self.message = email.message_from_bytes(envelope.content, policy=email.policy.default)

    def part(self, kind):
        part = self.message.get_body(preferencelist=(kind,))
        return part.get_content().replace("\r\n", "\n") if part else None

    @property
    def body(self):
        """What the template made, without the page around it."""
        found = re.search(r"<body[^>]*>(.*)</body>", self.part("html"), re.S)
        return "\n".join(line.strip() for line in found.group(1).strip().splitlines())

    @property
    def token(self):
        return re.search(r"(?:confirm-[a-z-]+/|TOKEN:)([\w-]+\.[\w-]+\.[\w-]+)", self.part("html")).group(1)

    @property
    def password(self):
        return re.search(r"<strong>(\d+)</strong>", self.part("html")).group(1)

    def shown(self):
        plain = [line.strip() for line in self.part("plain").strip().splitlines() if line.strip()]
        return {
            "sender": self.sender, "recipients": self.recipients, "from": self.message["from"], "to": self.message["to"],
            "subject": self.message["subject"], "html": self.body, "text": plain,
            "id": bool(self.message["message-id"]), "date": "date" in self.message or None,
        }


VOLATILE = [
    (re.compile(r"[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}"), "<token>"), (re.compile(r"\b\d{8}\b"), "<digits>"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z"), "<time>"),
]


def plain(value, ids):
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    for pattern, name in VOLATILE:
        text = pattern.sub(name, text)
    for name in ids:
        text = text.replace(name, "<id>")
    return re.sub(r'"(id|otpId|mfaId|collectionId|recordRef|collectionRef|fingerprint)": "\w+"', r'"\1": "<id>"', text)


class Session:
    """One server under test and what it answered."""

    def __init__(self, server, label):
        self.server, self.label = server, label
        self.url = server.url
        self.seen = []
        self.ids = []
        self.http = requests.Session()
        self.root = None

    def send(self, method, path, body=None, token=None, **headers):
        if token:
            headers["Authorization"] = token
        return self.http.request(method, self.url + path, json=body, headers=headers, timeout=30)

    def note(self, name, value):
        self.seen.append((name, plain(value, self.ids)))

    def call(self, name, method, path, body=None, token=None, **headers):
        answer = self.send(method, path, body, token, **headers)
        try:
            data = answer.json() if answer.content else None
        except ValueError:
            data = answer.text
        self.note(name, [answer.status_code, data])
        return answer.status_code, data

    def post(self, name, path, body=None, token=None, **headers):
        return self.call(name, "POST", path, body, token, **headers)

    def setting(self, patch):
        answer = self.send("PATCH", "/api/settings", patch, self.root)
        assert answer.status_code == 200, answer.text

    def collection(self, patch, name="users"):
        answer = self.send("PATCH", "/api/collections/" + name, patch, self.root)
        assert answer.status_code == 200, answer.text

    def user(self, address, **more):
        body = {"email": address, "password": PASSWORD, "passwordConfirm": PASSWORD, **more}
        answer = self.send("POST", "/api/collections/users/records", body, self.root)
        assert answer.status_code == 200, answer.text
        self.ids.append(answer.json()["id"])
        return answer.json()

    def view(self, record):
        return self.send("GET", "/api/collections/users/records/" + record["id"], token=self.root).json()

    def rows(self, collection):
        return self.send("GET", "/api/collections/%s/records?sort=created" % collection, token=self.root).json()["items"]

    def wait(self, condition, seconds=10):
        """Waits for what happens after an answer."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return True
            time.sleep(0.02)
        return False


def sign_in(session, address, password=PASSWORD, **headers):
    return session.send(
        "POST", "/api/collections/users/auth-with-password", {"identity": address, "password": password}, **headers)


def set_up(session, sink):
    answer = session.send("POST", "/api/collections/_superusers/auth-with-password",
                          {"identity": SUPERUSER_EMAIL, "password": SUPERUSER_PASSWORD})
    session.root = answer.json()["token"]
    session.setting({
        "meta": {"appName": "Läden & Co", "appURL": "https://shop.example.com", "senderName": "Die Läden, Köln", "senderAddress": "shop@example.com"},
        "smtp": {"enabled": True, "host": "127.0.0.1", "port": sink.port, "tls": False},
    })
    session.collection({"authAlert": {"enabled": False}, "authRule": ""})


def templates(session, sink):
    users = "/api/settings/test/email"
    for body in [{}, {"email": "bad", "template": "otp"}, {"email": "a@example.com", "template": "nope"},
                 {"email": "a@example.com", "template": "otp", "collection": "nope"},
                 {"email": "a@example.com", "template": "otp", "collection": "x" * 256}, {"email": 1}]:
        session.post("test mail %s" % body, users, body, session.root)
    session.post("test mail as a guest", users, {"email": "a@example.com", "template": "otp"})
    for template in ["verification", "password-reset", "email-change", "otp", "login-alert"]:
        for collection in [None, "users"]:
            body = {"email": "a@example.com", "template": template}
            if collection:
                body["collection"] = collection
            session.post("test mail %s of %s" % (template, collection), users, body, session.root)
            mail = sink.next()
            session.note("its mail", mail.shown() if mail else None)
    body = ("<h1>{APP_NAME}</h1><p>{RECORD:name} / {RECORD:email} / {RECORD:verified} / {RECORD:tokenKey}</p>"
            "<ul><li>One</li><li>Two <b>bold</b></li></ul><a href='{APP_URL}/x?a=1&b=2'>  go </a><br><br>TOKEN:{TOKEN}<script>no()</script>")
    session.collection({"verificationTemplate": {"subject": "Hi {RECORD:name} at {APP_NAME}", "body": body}})
    record = session.user("tina@example.com", name="Tina <b>\"T'\"</b> & Ünal")
    session.post("a mail from a template", "/api/collections/users/request-verification", {"email": "tina@example.com"})
    mail = sink.next()
    session.note("its mail", mail.shown() if mail else None)
    session.ids.append(record["id"])


def verification(session, sink):
    base = "/api/collections/users/"
    record = session.user("vera@example.com")
    session.post("verification of nobody", base + "request-verification", {"email": "nobody@example.com"})
    session.post("verification is asked for", base + "request-verification", {"email": "vera@example.com"})
    mail = sink.next()
    # PocketBase remembers that it has sent one a moment after it has.
    session.wait(lambda: False, 0.3)
    session.post("and again at once", base + "request-verification", {"email": "vera@example.com"})
    session.note("nothing comes", sink.next(0.5) and "mail")
    session.post("the token for a request", base + "auth-refresh", {}, mail.token)
    session.post("the token in the wrong place", base + "confirm-password-reset",
                 {"token": mail.token, "password": "another123", "passwordConfirm": "another123"})
    session.post("the token of another collection", "/api/collections/_superusers/confirm-verification", {"token": mail.token})
    session.post("with a broken signature", base + "confirm-verification", {"token": mail.token[:-4] + "AAAA"})
    session.post("confirmed", base + "confirm-verification", {"token": mail.token})
    session.note("verified", session.view(record)["verified"])
    session.post("confirmed twice", base + "confirm-verification", {"token": mail.token})
    session.post("asked for when verified", base + "request-verification", {"email": "vera@example.com"})
    session.note("nothing comes", sink.next(0.5) and "mail")
    other = session.user("victor@example.com")
    session.post("asked for", base + "request-verification", {"email": "VICTOR@example.com"})
    mail = sink.next()
    session.call("the address changes", "PATCH", base + "records/" + other["id"], {"email": "vic@example.com"}, session.root)
    session.post("the old token", base + "confirm-verification", {"token": mail.token})


def password_reset(session, sink):
    base = "/api/collections/users/"
    record = session.user("paul@example.com")
    before = sign_in(session, "paul@example.com").json()["token"]
    session.post("reset for nobody", base + "request-password-reset", {"email": "nobody@example.com"})
    session.post("reset is asked for", base + "request-password-reset", {"email": "paul@example.com"})
    mail = sink.next()
    session.note("to", mail.recipients)
    session.wait(lambda: False, 0.3)
    session.post("and again at once", base + "request-password-reset", {"email": "paul@example.com"})
    session.note("nothing comes", sink.next(0.5) and "mail")
    for body in [{"password": "short", "passwordConfirm": "short"}, {"password": "newpassword1", "passwordConfirm": "other"},
                 {"password": "x" * 80, "passwordConfirm": "x" * 80}, {"password": "x" * 256, "passwordConfirm": "x" * 256}]:
        session.post("refused %s" % len(body["password"]), base + "confirm-password-reset", {"token": mail.token, **body})
    body = {"token": mail.token, "password": "newpassword1", "passwordConfirm": "newpassword1"}
    session.post("the new password", base + "confirm-password-reset", body)
    session.note("verified", session.view(record)["verified"])
    session.post("the token twice", base + "confirm-password-reset", body)
    session.note("old password", sign_in(session, "paul@example.com").status_code)
    session.note("new password", sign_in(session, "paul@example.com", "newpassword1").status_code)
    session.post("the old session", base + "auth-refresh", {}, before)
    session.collection({"passwordAuth": {"enabled": False}, "otp": {"enabled": True}})
    session.post("without passwords", base + "request-password-reset", {"email": "paul@example.com"})
    session.collection({"passwordAuth": {"enabled": True}, "otp": {"enabled": False}})


def email_change(session, sink):
    base = "/api/collections/users/"
    record = session.user("emma@example.com")
    session.user("taken@example.com")
    token = sign_in(session, "emma@example.com").json()["token"]
    for address in ["taken@example.com", "TAKEN@example.com", "emma@example.com", "a b@example.com", "new@example.com\nBcc: x@example.com"]:
        session.post("change to %r" % address, base + "request-email-change", {"newEmail": address}, token)
    session.note("nothing comes", sink.next(0.5) and "mail")
    session.post("change is asked for", base + "request-email-change", {"newEmail": "emma.new@example.com"}, token)
    mail = sink.next()
    session.note("its mail", mail.shown())
    session.note("not changed yet", session.view(record)["email"])
    session.post("a wrong password", base + "confirm-email-change", {"token": mail.token, "password": "wrong"})
    session.post("changed", base + "confirm-email-change", {"token": mail.token, "password": PASSWORD})
    session.note("changed", [session.view(record)["email"], session.view(record)["verified"]])
    session.post("twice", base + "confirm-email-change", {"token": mail.token, "password": PASSWORD})
    session.post("the old session", base + "auth-refresh", {}, token)
    token = sign_in(session, "emma.new@example.com").json()["token"]
    session.post("asked for", base + "request-email-change", {"newEmail": "late@example.com"}, token)
    mail = sink.next()
    session.user("late@example.com")
    session.post("taken meanwhile", base + "confirm-email-change", {"token": mail.token, "password": PASSWORD})


def one_time(session, sink):
    base = "/api/collections/users/"
    session.collection({"otp": {"enabled": True, "length": 8, "duration": 180}})
    record = session.user("olga@example.com")
    session.post("otp for nobody", base + "request-otp", {"email": "nobody@example.com"})
    _, answer = session.post("otp is asked for", base + "request-otp", {"email": "olga@example.com"})
    mail = sink.next()
    session.note("its mail", mail.shown())
    session.wait(lambda: session.rows("_otps") and session.rows("_otps")[0]["sentTo"])
    session.note("its row", session.rows("_otps"))
    session.post("a wrong one", base + "auth-with-otp", {"otpId": answer["otpId"], "password": "00000000"})
    session.post("another collection's", "/api/collections/_superusers/auth-with-otp", {"otpId": answer["otpId"], "password": mail.password})
    status, signed = session.post("the right one", base + "auth-with-otp", {"otpId": answer["otpId"], "password": mail.password})
    session.note("verified", session.view(record)["verified"])
    session.note("the password it had", sign_in(session, "olga@example.com").status_code)
    session.post("the session counts", base + "auth-refresh", {}, signed["token"])
    session.post("twice", base + "auth-with-otp", {"otpId": answer["otpId"], "password": mail.password})
    session.note("no rows", session.rows("_otps"))

    session.user("otto@example.com")
    _, answer = session.post("for otto", base + "request-otp", {"email": "otto@example.com"})
    mail = sink.next()
    for turn in range(6):
        session.post("guess %d" % turn, base + "auth-with-otp", {"otpId": answer["otpId"], "password": "1111111%d" % turn})
    session.post("the right one, too late", base + "auth-with-otp", {"otpId": answer["otpId"], "password": mail.password})

    session.user("oskar@example.com")
    given = []
    for _ in range(12):
        given.append(session.send("POST", base + "request-otp", {"email": "oskar@example.com"}).json()["otpId"])
        sink.next(2 if len(set(given)) == len(given) else 0.2)
    session.note("how many of twelve are new", [len(set(given)), given[-1] == given[9]])

    other = session.user("ole@example.com")
    _, answer = session.post("for ole", base + "request-otp", {"email": "ole@example.com"})
    mail = sink.next()
    session.call("a new password ends it", "PATCH", base + "records/" + other["id"],
                 {"password": "another1234", "passwordConfirm": "another1234"}, session.root)
    session.post("over", base + "auth-with-otp", {"otpId": answer["otpId"], "password": mail.password})


def two_factors(session, sink):
    base = "/api/collections/users/"
    session.user("mona@example.com", verified=True)
    session.collection({"mfa": {"enabled": True, "duration": 60}})
    status, first = session.post("password first", base + "auth-with-password", {"identity": "mona@example.com", "password": PASSWORD})
    session.post("password again", base + "auth-with-password", {"identity": "mona@example.com", "password": PASSWORD, "mfaId": first["mfaId"]})
    _, answer = session.post("otp is asked for", base + "request-otp", {"email": "mona@example.com"})
    mail = sink.next()
    session.post("otp second", base + "auth-with-otp",
                 {"otpId": answer["otpId"], "password": mail.password, "mfaId": first["mfaId"]})
    session.note("sessions left", len(session.rows("_mfas")))
    session.post("the session twice", base + "auth-with-password",
                 {"identity": "mona@example.com", "password": PASSWORD, "mfaId": first["mfaId"]})
    session.collection({"mfa": {"enabled": False}})
    session.collection({"otp": {"enabled": False}})


def alerts(session, sink):
    base = "/api/collections/users/"
    session.user("anna@example.com")
    session.collection({"authAlert": {"enabled": True}})
    agents = ["Browser/1", "Browser/1", "Browser/2", "Browser/2", "x" * 300]
    for agent in agents:
        session.note("signed in", sign_in(session, "anna@example.com", **{"User-Agent": agent}).status_code)
        mail = sink.next(1)
        session.note("mail", mail and mail.shown())
        time.sleep(0.1)
    count = len(session.rows("_authOrigins"))
    session.note("origins", count)
    for number in range(5):
        sign_in(session, "anna@example.com", **{"User-Agent": "More/%d" % number})
        sink.next(2)
        time.sleep(0.1)
    session.note("origins at most", len(session.rows("_authOrigins")))
    session.note("a refresh tells nobody", [
        session.send("POST", base + "auth-refresh", {}, sign_in(session, "anna@example.com", **{"User-Agent": "More/4"}).json()["token"],
                     **{"User-Agent": "Other"}).status_code, sink.next(0.5) and "mail"])
    session.collection({"authAlert": {"enabled": False}})


def broken(session, sink):
    """A mail server that is not there, and one that refuses."""
    base = "/api/collections/users/"
    session.user("bruno@example.com")
    token = sign_in(session, "bruno@example.com").json()["token"]
    refusing = Sink(refuses=True)
    for port in [free_port(), refusing.port]:
        session.setting({"smtp": {"port": port}})
        answer = session.send("POST", "/api/settings/test/email", {"email": "a@example.com", "template": "otp"}, session.root)
        session.note("test mail", [answer.status_code, answer.json()["message"].split("\n")[0], bool(answer.json()["message"].split("\n")[1])])
        session.post("verification", base + "request-verification", {"email": "bruno@example.com"})
        session.post("reset", base + "request-password-reset", {"email": "bruno@example.com"})
        session.post("change", base + "request-email-change", {"newEmail": "b2@example.com"}, token)
        session.collection({"otp": {"enabled": True}})
        session.post("otp", base + "request-otp", {"email": "bruno@example.com"})
        session.note("its row goes", session.wait(lambda: not [r for r in session.rows("_otps") if r["recordRef"] == session.ids[-1]]))
        session.collection({"otp": {"enabled": False}})
    refusing.stop()
    session.setting({"smtp": {"port": sink.port}})
    session.post("a reset that failed may be asked for again", base + "request-password-reset", {"email": "bruno@example.com"})
    session.note("mail", bool(sink.next()))


def logins(session, sink):
    # PocketBase's LOGIN is not understood by this mail server.
    for method in ["PLAIN", "LOGIN"][:2 if session.label == "Roost" else 1]:
        secured = Sink(auth_required=True, auth_require_tls=False)
        secured.controller.SMTP_kwargs["authenticator"] = secured.authenticate
        session.setting({"smtp": {"port": secured.port, "username": "shop", "password": "smtp-secret", "authMethod": method, "localName": "shop.example.com"}})
        answer = session.send("POST", "/api/settings/test/email", {"email": "a@example.com", "template": "otp"}, session.root)
        check("%s sends after a sign-in with %s" % (session.label, method),
              answer.status_code == 204 and secured.next(2) and secured.logins == [(method, b"shop", b"smtp-secret")], secured.logins)
        secured.stop()
    session.setting({"smtp": {"port": sink.port, "username": "", "password": "", "localName": ""}})


def backup_alerts(session, sink):
    """A backup by the clock that fails is told to all superusers."""
    for number in range(2):
        answer = session.send("POST", "/api/collections/_superusers/records", {"email": "root%d@example.com" % number, "password": PASSWORD, "passwordConfirm": PASSWORD}, session.root)
        assert answer.status_code == 200, answer.text
    nowhere = {"enabled": True, "bucket": "b", "region": "r", "endpoint": "http://127.0.0.1:%d" % free_port(), "accessKey": "a", "secret": "s", "forcePathStyle": True}
    session.setting({"meta": {"appName": "Tom & <Co>"}, "backups": {"cron": "0 0 1 1 *", "cronMaxKeep": 3, "s3": nowhere}})
    session.call("run", "POST", "/api/crons/__pbAutoBackup__", token=session.root)
    mails = []
    while len(mails) < len(session.rows("_superusers")):
        mail = sink.next(20)
        if mail is None:
            break
        mails.append(mail)
    session.note("to whom", sorted(mail.message["to"] for mail in mails))
    session.note("heads", sorted({(mail.sender, mail.message["from"], mail.message["subject"]) for mail in mails}))
    session.note("what happened", ["Failed to create/upload automated backup. Raw error:" in mail.part(kind) for mail in mails for kind in ("plain", "html")])
    session.note("the name is no HTML", ["Tom &amp; &lt;Co&gt;" in mail.part("html") and "<Co>" not in mail.part("html") for mail in mails])
    session.note("nothing more", sink.next(0.3) and "mail")
    lines = lambda: session.send("GET", "/api/logs?filter=" + urllib.parse.quote("level = 8 && message ~ '[Backup cron]'"), token=session.root).json()["items"]
    session.note("it is in the log", session.wait(lambda: sorted(line["message"] for line in lines()) == ["[Backup cron] Failed to create backup", "[Backup cron] Failed to list autogenerated backups"]))
    session.setting({"backups": {"cron": "", "s3": {**nowhere, "enabled": False}}})
    session.call("a backup is none of the clock's jobs any more", "POST", "/api/crons/__pbAutoBackup__", token=session.root)


STEPS = [templates, verification, password_reset, email_change, one_time, two_factors, alerts, broken, logins, backup_alerts]


def run(command, label):
    with tempfile.TemporaryDirectory(prefix="mailtest-") as home:
        server = Server(command, home, label)
        server.upsert_superuser()
        sink = Sink()
        server.spawn()
        try:
            server.wait()
            session = Session(server, label)
            set_up(session, sink)
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
                roost_alone(session, sink)
            return results
        finally:
            server.stop()
            sink.stop()


def at_once(count, action):
    """Runs an action on many threads as nearly at the same time as can be."""
    gate = threading.Barrier(count)

    def one(number):
        gate.wait()
        return action(number)

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def roost_alone(session, sink):
    base = session.url + "/api/collections/users/"
    session.collection({"otp": {"enabled": True}})

    for turn in range(3):
        address = "race%d@example.com" % turn
        session.user(address)
        session.send("POST", "/api/collections/users/request-password-reset", {"email": address})
        token = sink.next().token
        codes = at_once(8, lambda n: requests.post(base + "confirm-password-reset", json={
            "token": token, "password": "password-%d" % n, "passwordConfirm": "password-%d" % n}, timeout=30).status_code)
        check("of eight resets with one token one wins", sorted(codes) == [204] + [400] * 7, codes)
        otp = session.send("POST", "/api/collections/users/request-otp", {"email": address}).json()["otpId"]
        password = sink.next().password
        codes = at_once(5, lambda n: requests.post(base + "auth-with-otp", json={"otpId": otp, "password": password}, timeout=30).status_code)
        check("of five sign-ins with one password one wins", sorted(codes) == [200] + [400] * 4, codes)

    # A stranger's text in a mail's head.
    session.collection({"verificationTemplate": {"subject": "Hello {RECORD:name}", "body": "TOKEN:{TOKEN} {OTP} {RECORD:name}"}})
    session.user("inject@example.com", name="x\r\nBcc: victim@example.com\r\n\r\nbody {TOKEN}")
    session.send("POST", "/api/collections/users/request-verification", {"email": "inject@example.com"})
    mail = sink.next()
    check("a line break in a name adds no recipient", mail.recipients == ["inject@example.com"] and not mail.message["bcc"],
          [mail.recipients, mail.message["bcc"]])
    check("the subject is one line", mail.message["subject"] == "Hello x  Bcc: victim@example.com    body {TOKEN}", mail.message["subject"])
    check("what a value brings along is no placeholder", mail.part("html").count("{TOKEN}") == 1, mail.part("html"))

    # Whether an address has an account must not be told by the time either: medians of turns in a random order.
    session.collection({"otp": {"enabled": False}})
    session.user("timed@example.com", verified=True)
    times = {"timed@example.com": [], "absent@example.com": []}
    for turn in range(60):
        for address in sorted(times, key=lambda a: hash((a, turn))):
            begin = time.perf_counter()
            session.send("POST", "/api/collections/users/auth-with-password", {"identity": address, "password": "wrong"})
            times[address].append(time.perf_counter() - begin)
    known, unknown = (statistics.median(times[a]) for a in times)
    check("a wrong password and an unknown address take the same time (medians of 60 within a fifth)",
          abs(known - unknown) < 0.2 * max(known, unknown), [known, unknown])

    # A mail server that never answers holds up nobody.
    silent = socket.create_server(("127.0.0.1", 0), backlog=64)
    session.setting({"smtp": {"port": silent.getsockname()[1]}})
    for number in range(12):
        session.user("slow%d@example.com" % number)
        session.send("POST", "/api/collections/users/request-verification", {"email": "slow%d@example.com" % number})
    begin = time.perf_counter()
    answer = session.send("GET", "/api/collections/users/records", token=session.root)
    status = sign_in(session, "timed@example.com").status_code
    check("twelve mails to a silent server hold up no request",
          answer.status_code == 200 and status == 200 and time.perf_counter() - begin < 5, time.perf_counter() - begin)
    silent.close()


def compare(theirs, ours):
    """Checks what both noted, step by step, prints the result and ends."""
    for step, expected in theirs.items():
        seen = ours[step]
        for index in range(max(len(expected), len(seen))):
            a = expected[index] if index < len(expected) else ("nothing", "")
            b = seen[index] if index < len(seen) else ("nothing", "")
            check("%s: %s" % (step, a[0]), a == b, None if a == b else {"PocketBase": a[1], "Roost": b[1]})
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--roost")
    parser.add_argument("--pocketbase")
    options = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        theirs = pool.submit(run, find_pocketbase(options.pocketbase), "PocketBase")
        ours = pool.submit(run, find_roost(options.roost), "Roost")
        theirs, ours = theirs.result(), ours.result()
    compare(theirs, ours)


if __name__ == "__main__":
    main()
