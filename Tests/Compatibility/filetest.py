"""Files: uploads, downloads, tokens, and what is left on the disk, on PocketBase and Roost.

    python Tests/Compatibility/filetest.py [--roost PATH] [--pocketbase PATH]

The same steps run on both and must give the same; crashes, cut connections and full disks are tried on Roost alone."""

import argparse
import concurrent.futures
import hashlib
import io
import json
import os
import random
import re
import resource
import socket
import struct
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
import zlib

import requests

from server import SUPERUSER_EMAIL, SUPERUSER_PASSWORD, Server, find_pocketbase, find_roost

passed = failed = 0


def check(name, condition, seen=None):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print("FAIL %s%s" % (name, "" if seen is None else ": %r" % (seen,)))


def png(width=3, height=2):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    rows = b"".join(b"\0" + b"".join(bytes([x * 40 % 256, y * 70 % 256, 90]) for x in range(width)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def zipped(*names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), "content of " + name)
    return out.getvalue()


def tarred(name):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    return out.getvalue()


SAMPLES = {
    "hello.txt": b"hello world\n", "pixel.png": png(), "page.html": b"<!DOCTYPE html><html><body><script>1</script></body></html>",
    "art.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "data.json": b'{"a": [1, 2, 3]}',
    "doc.pdf": b"%PDF-1.4\n%abc\n", "archive.zip": zipped("readme.txt"), "noextension": b"plain text",
    "binary.bin": bytes(range(256)), "style.css": b"body { color: red }", "app.js": b"console.log(1)",
    "photo.jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "moving.gif": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "feed.xml": b"<?xml version='1.0'?><a/>",
    "movie.mp4": b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp42", "song.mp3": b"ID3\x03\x00\x00\x00\x00\x00\x0a" + bytes(10) + b"\xff\xfb\x90\x00" + bytes(400), "wörter mit Ümläuten.txt": "grüße".encode(),
    "UPPER Case (1).TXT": b"upper", "two.tar.gz": b"\x1f\x8b\x08\x00" + bytes(6), ".hidden": b"hidden", "latin.txt": b"gr\xfc\xdfe", "utf16.txt": b"\xff\xfeh\x00i\x00",
    "table.csv": b"a,b,c\n1,2,3\n4,5,6\n", "script.sh": b"#!/bin/sh\necho 1\n", "web.webp": b"RIFF\x1a\x00\x00\x00WEBPVP8 ", "icon.ico": b"\x00\x00\x01\x00\x01\x00",
    "empty.txt": b"", "sound.wav": b"RIFF\x24\x00\x00\x00WAVEfmt ", "font.woff2": b"wOF2\x00\x01\x00\x00", "prog.exe": b"MZ\x90\x00\x03\x00",
    "text.docx": zipped("[Content_Types].xml", "_rels/.rels", "word/document.xml"), "table.xlsx": zipped("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"),
    "lines.tsv": b"a\tb\n1\t2\n", "text.rtf": b"{\\rtf1 hello}", "card.vcf": b"BEGIN:VCARD\nEND:VCARD\n", "notes.md": b"# Title\n\nText, with a comma.\n",
    "clip.webm": b"\x1a\x45\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1f\x42\x82\x84webm" + bytes(20), "photo.heic": b"\x00\x00\x00\x18ftypheic" + bytes(12),
    "film.mov": b"\x00\x00\x00\x14ftypqt  " + bytes(8), "font.ttf": b"\x00\x01\x00\x00\x00\x0f\x00\x80\x00\x03\x00\x70GDEF" + bytes(40), "bundle.tar": tarred("a.txt"),
}
HEADERS = ["content-type", "content-disposition", "content-security-policy", "cache-control", "content-length", "accept-ranges",
           "content-range", "x-frame-options", "x-content-type-options", "last-modified"]


class Session:
    def __init__(self, server, label):
        self.server, self.label, self.url = server, label, server.url
        self.seen = []
        self.http = requests.Session()
        self.root = self.send("POST", "/api/collections/_superusers/auth-with-password",
                              json={"identity": SUPERUSER_EMAIL, "password": SUPERUSER_PASSWORD}).json()["token"]

    def send(self, method, path, token=None, headers=None, **more):
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = token
        return self.http.request(method, self.url + path, headers=headers, timeout=60, **more)

    def note(self, name, value):
        # The ten random characters of names, ids, dates and boundaries are each server's own.
        text = json.dumps(value, ensure_ascii=False, sort_keys=True)
        text = re.sub(r"_[a-z0-9]{10}(\.|\"|$|\\|_)", r"_<random>\1", text)
        text = re.sub(r"\"[a-z0-9]{10}_<random>", "\"<random>_<random>", text)
        text = re.sub(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", "<date>", text)
        text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z", "<time>", text)
        text = re.sub(r'"id": "\w{15}"', '"id": "<id>"', text)
        text = re.sub(r"boundary=\w+|--\w{30,}", "<boundary>", text)
        self.seen.append((name, text))

    def answer(self, name, answer, body=True):
        headers = {key: answer.headers.get(key) for key in HEADERS if key in answer.headers}
        content = answer.content
        shown = None
        if body:
            is_json = headers.get("content-type") == "application/json" and answer.status_code >= 400
            shown = answer.json() if is_json else (content.decode("latin-1") if len(content) < 500 else hashlib.sha256(content).hexdigest())
            if is_json:
                headers.pop("content-length", None)
        if "multipart/byteranges" in headers.get("content-type", ""):
            headers.pop("content-length", None)
            shown = re.sub(r"--\w+", "--b", content.decode("latin-1"))
        self.note(name, [answer.status_code, headers, shown])

    def storage(self):
        """Every file below the storage, without what is random in the names."""
        found = []
        root = os.path.join(self.server.dir, "storage")
        for folder, _, files in os.walk(root):
            for name in files:
                found.append(os.path.relpath(os.path.join(folder, name), root))
        return sorted(found)

    def wait_storage(self, count, seconds=10):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and len(self.storage()) != count:
            time.sleep(0.02)
        return len(self.storage())


DOCS = {
    "name": "docs", "type": "base", "listRule": "", "viewRule": "", "createRule": "", "updateRule": "", "deleteRule": "",
    "fields": [
        {"name": "title", "type": "text", "max": 20},
        {"name": "one", "type": "file", "maxSelect": 1, "maxSize": 1000000},
        {"name": "many", "type": "file", "maxSelect": 5, "maxSize": 200000, "thumbs": ["50x50"]},
        {"name": "secret", "type": "file", "maxSelect": 1, "protected": True},
        {"name": "images", "type": "file", "maxSelect": 2, "mimeTypes": ["image/png", "image/jpeg"]},
    ],
}


def set_up(session):
    answer = session.send("POST", "/api/collections", session.root, json=DOCS)
    assert answer.status_code == 200, answer.text
    session.docs = answer.json()["id"]
    answer = session.send("POST", "/api/collections", session.root, json={
        **DOCS, "name": "closed", "viewRule": "@request.auth.id != '' && @request.auth.verified = true", "createRule": None})
    assert answer.status_code == 200, answer.text
    answer = session.send("POST", "/api/collections", session.root, json={
        "name": "shown", "type": "view", "viewRule": "", "listRule": "", "viewQuery": "select id, title, one, many from docs"})
    assert answer.status_code == 200, answer.text


def create(session, fields=(), files=(), collection="docs", token=None):
    return session.send("POST", "/api/collections/%s/records" % collection, token, data=list(fields), files=[(k, f) for k, f in files] or {"x": (None, "")})


def types(session):
    """What is stored of each sample, and how it comes back."""
    for name, content in SAMPLES.items():
        answer = create(session, files=[("one", (name, content, "application/x-wrong"))])
        session.note("upload " + name, [answer.status_code, answer.json().get("one") or answer.json()])
        if answer.status_code != 200 or not answer.json()["one"]:
            continue
        record = answer.json()
        path = "/api/files/docs/%s/%s" % (record["id"], record["one"])
        session.answer("get " + name, session.send("GET", path))
        session.answer("download " + name, session.send("GET", path + "?download=1"), body=False)
        attributes = os.path.join(session.server.dir, "storage", session.docs, record["id"], record["one"] + ".attrs")
        with open(attributes, encoding="utf-8") as file:
            kept = json.load(file)
        kept.pop("md5")
        session.note("attributes of " + name, kept)


def downloads(session):
    content = bytes(random.Random(1).randbytes(150000))
    record = create(session, files=[("one", ("big.bin", content))]).json()
    path = "/api/files/docs/%s/%s" % (record["id"], record["one"])
    session.answer("whole", session.send("GET", path))
    session.answer("by the collection's id", session.send("GET", "/api/files/%s/%s/%s" % (session.docs, record["id"], record["one"])), body=False)
    session.answer("head", session.send("HEAD", path))
    for value in ["bytes=0-9", "bytes=149990-", "bytes=-10", "bytes=0-0", "bytes=5-5,10-12", "bytes=150000-", "bytes=9-5", "bytes=a-b",
                  "bytes=", "items=0-5", "bytes=0-200000", "bytes= 1-2 , 4-5", "bytes=0-149999,0-149999", "bytes=" + ",".join("%d-%d" % (i, i) for i in range(5))]:
        session.answer("range " + value, session.send("GET", path, headers={"Range": value}))
    modified = session.send("HEAD", path).headers["last-modified"]
    old = "Sun, 06 Nov 1994 08:49:37 GMT"
    for headers in [{"If-Modified-Since": modified}, {"If-Modified-Since": old}, {"If-Unmodified-Since": old}, {"If-Unmodified-Since": modified},
                    {"If-Modified-Since": "nonsense"}, {"If-None-Match": '"other"'}, {"If-Match": '"other"'},
                    {"If-Range": modified, "Range": "bytes=0-4"}, {"If-Range": old, "Range": "bytes=0-4"}]:
        session.answer("conditional %s" % sorted(k for k in headers), session.send("GET", path, headers=headers))
    for number, wrong in enumerate(["/api/files/docs/%s/nope.txt" % record["id"], "/api/files/nope/%s/%s" % (record["id"], record["one"]),
                  "/api/files/docs/nope00000000000/" + record["one"], path + ".attrs", "/api/files/docs/%s/..%%2f..%%2fdata.db" % record["id"],
                  "/api/files/docs/%s/%%00" % record["id"], "/api/files/docs/%s/%s" % (record["id"], "x" * 1000)]):
        session.answer("not there %d" % number, session.send("GET", wrong))
    session.answer("of a view", session.send("GET", "/api/files/shown/%s/%s" % (record["id"], record["one"])), body=False)
    session.answer("a thumb of what is no image", session.send("GET", path + "?thumb=100x100"), body=False)


def changes(session):
    """Adding, removing, replacing; what is left on the disk each time."""
    def names(record):
        return [len(record["many"]), bool(record["one"]), [re.sub(r"_[a-z0-9]{10}\.", "_.", n) for n in record["many"]]]
    base = session.wait_storage(len(session.storage()))
    record = create(session, files=[("many", ("aaaa.txt", b"a")), ("many", ("bbbb.txt", b"b")), ("one", ("cccc.txt", b"c"))]).json()
    path = "/api/collections/docs/records/" + record["id"]
    session.note("created", [names(record), session.wait_storage(base + 6) - base])
    def patch(name, fields=(), files=(), count=None, js=None):
        if js is not None:
            answer = session.send("PATCH", path, json=js)
        else:
            answer = session.send("PATCH", path, data=list(fields), files=list(files) or {"x": (None, "")})
        shown = names(answer.json()) if answer.status_code == 200 else answer.json()
        session.note(name, [answer.status_code, shown, session.wait_storage(base + count) - base])
        return answer.json()
    record = patch("append", files=[("many+", ("dddd.txt", b"d"))], count=8)
    record = patch("prepend", files=[("+many", ("eeee.txt", b"e"))], count=10)
    record = patch("remove one", js={"many-": [record["many"][1]]}, count=8)
    record = patch("remove by form", fields=[("many-", record["many"][0])], count=6)
    record = patch("add with the old names", fields=[("many", record["many"][0])], files=[("many", ("ffff.txt", b"f"))], count=6)
    record = patch("replace", files=[("one", ("gggg.txt", b"g"))], count=6)
    record = patch("too many", files=[("many", ("hhhh%d.txt" % n, b"h")) for n in range(6)], count=6)
    record = session.send("GET", path).json()
    record = patch("invalid text with a file", fields=[("title", "x" * 30)], files=[("one", ("iiii.txt", b"i"))], count=6)
    record = patch("unknown name", js={"one": "nope.txt"}, count=6)
    record = patch("empty", js={"one": "", "many": []}, count=0)
    record = patch("again", files=[("one", ("jjjj.txt", b"j")), ("many", ("kkkk.txt", b"k"))], count=4)
    session.note("delete", [session.send("DELETE", path).status_code, session.wait_storage(base) - base])
    session.note("too large", [r.status_code for r in [create(session, files=[("many", ("llll.txt", b"l" * 200001))])]] + [session.wait_storage(base) - base])
    session.note("its answer", create(session, files=[("many", ("llll.txt", b"l" * 200001))]).json())
    session.note("wrong type", create(session, files=[("images", ("mmmm.txt", b"text"))]).json())
    session.note("right type", create(session, files=[("images", ("mmmm.png", SAMPLES["pixel.png"]))]).status_code)
    session.note("no such field", [create(session, files=[("nope", ("nnnn.txt", b"n"))]).status_code])


def protection(session):
    users = "/api/collections/users/records"
    for name, verified in [("in", True), ("out", False)]:
        session.send("POST", users, session.root, json={"email": name + "@example.com", "password": "password123", "passwordConfirm": "password123", "verified": verified})
    tokens = {}
    for name in ["in", "out"]:
        tokens[name] = session.send("POST", "/api/collections/users/auth-with-password", json={"identity": name + "@example.com", "password": "password123"}).json()["token"]
    tokens["root"] = session.root
    record = create(session, files=[("secret", ("ssss.txt", b"secret")), ("one", ("oooo.txt", b"open"))], collection="closed", token=session.root).json()
    base = "/api/files/closed/%s/" % record["id"]
    session.answer("not protected", session.send("GET", base + record["one"]))
    session.answer("protected, without a token", session.send("GET", base + record["secret"]))
    session.answer("a token for nobody", session.send("POST", "/api/files/token"))
    for name, token in tokens.items():
        answer = session.send("POST", "/api/files/token", token)
        session.note("token of " + name, answer.status_code)
        file_token = answer.json()["token"]
        session.answer("protected for " + name, session.send("GET", base + record["secret"] + "?token=" + file_token))
        session.answer("with the token for requests of " + name, session.send("GET", base + record["secret"] + "?token=" + token))
        session.answer("the file token for requests of " + name, session.send("POST", "/api/collections/users/auth-refresh", file_token))
        session.answer("signed in but without a file token " + name, session.send("GET", base + record["secret"], token))
    session.answer("a broken token", session.send("GET", base + record["secret"] + "?token=" + file_token[:-3] + "AAA"))
    open_record = create(session, files=[("secret", ("ssss.txt", b"secret"))]).json()
    session.answer("protected under an open rule", session.send("GET", "/api/files/docs/%s/%s" % (open_record["id"], open_record["secret"])))


def batches(session):
    session.send("PATCH", "/api/settings", session.root, json={"batch": {"enabled": True, "maxRequests": 50, "timeout": 30}})
    before = len(session.storage())
    def batch(name, items, files, count):
        answer = session.send("POST", "/api/batch", data={"@jsonPayload": json.dumps({"requests": items})}, files=files)
        shown = [(one["status"], len(one["body"]["many"]), bool(one["body"]["one"])) for one in answer.json()] if answer.status_code == 200 else answer.json()
        session.note(name, [answer.status_code, shown, session.wait_storage(before + count) - before])
    post = {"method": "POST", "url": "/api/collections/docs/records", "body": {"title": "t"}}
    batch("two with files", [post, post], [("requests.0.one", ("aaaa.txt", b"a")), ("requests.1.many", ("bbbb.txt", b"b")), ("requests[1].many", ("cccc.txt", b"c"))], 6)
    batch("the second fails", [post, {**post, "body": {"title": "x" * 30}}], [("requests.0.one", ("aaaa.txt", b"a")), ("requests.1.one", ("bbbb.txt", b"b"))], 6)


STEPS = [types, downloads, changes, protection, batches]


def collection_delete(session):
    before = session.storage()
    answer = session.send("DELETE", "/api/collections/shown", session.root)
    answer = session.send("DELETE", "/api/collections/docs", session.root)
    left = [name for name in before if not name.startswith(session.docs)]
    session.note("deleted with the collection", [answer.status_code, session.wait_storage(len(left)) == len(left)])


def run(command, label):
    with tempfile.TemporaryDirectory(prefix="filetest-") as home:
        server = Server(command, home, label)
        server.upsert_superuser()
        server.spawn()
        try:
            server.wait()
            session = Session(server, label)
            set_up(session)
            results = {}
            for step in STEPS + [collection_delete]:
                session.seen = []
                try:
                    step(session)
                except Exception as error:
                    session.note("the step ended with", "%s: %s" % (type(error).__name__, error))
                results[step.__name__] = session.seen
            return results
        finally:
            server.stop()


# On Roost alone


def raw_upload(session, length, body, total=None, path="/api/collections/docs/records"):
    """A multipart request by hand: says `length`, sends `body`."""
    s = socket.create_connection(("127.0.0.1", session.server.port))
    s.sendall(("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: %d\r\n\r\n" % (path, length)).encode())
    s.sendall(body)
    return s


PART = b"--B\r\nContent-Disposition: form-data; name=\"one\"; filename=\"x.bin\"\r\n\r\n"


def leftovers(session):
    folder = os.path.join(session.server.dir, "_roost_uploads")
    return os.listdir(folder) if os.path.isdir(folder) else []


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def roost_alone(command):
    with tempfile.TemporaryDirectory(prefix="filetest-") as home:
        server = Server(command, home, "Roost")
        server.upsert_superuser()
        server.spawn()
        try:
            server.wait()
            session = Session(server, "Roost")
            set_up(session)
            cut(session)
            memory(session)
            killed(server, session)
        finally:
            server.stop()
    full_disk(command)


def cut(session):
    before = session.storage()
    for name, body in [("before the part", b"--B\r\nContent-Dispo"), ("in the file", PART + b"x" * 100000), ("before the last boundary", PART + b"x" * 100 + b"\r\n--B")]:
        s = raw_upload(session, 10_000_000 if "file" in name else 400_000, body)
        time.sleep(0.2)
        s.close()
        check("a connection cut %s leaves nothing" % name, wait_for(lambda: not leftovers(session)) and session.storage() == before, leftovers(session))
    for name, body, status in [
        ("no last boundary", PART + b"data", 400), ("garbage", b"garbage" * 100, 400),
        ("a part without a name", b"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--\r\n", 200),
        ("a thousand and one parts", b"".join(b"--B\r\nContent-Disposition: form-data; name=\"f%d\"\r\n\r\nx\r\n" % n for n in range(1001)) + b"--B--\r\n", 400),
        ("nested multipart", b"--B\r\nContent-Disposition: form-data; name=\"one\"; filename=\"n\"\r\nContent-Type: multipart/mixed; boundary=C\r\n\r\n--C\r\n\r\nx\r\n--C--\r\n--B--\r\n", 200),
    ]:
        s = raw_upload(session, len(body), body)
        s.settimeout(10)
        head = s.recv(65536)
        s.close()
        check("%s is answered %d" % (name, status), head.startswith(b"HTTP/1.1 %d" % status), head[:60])
    check("nothing waits behind them", wait_for(lambda: not leftovers(session)), leftovers(session))
    s = socket.create_connection(("127.0.0.1", session.server.port))
    s.sendall(b"POST /api/collections/docs/records HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data\r\nContent-Length: 5\r\n\r\nabcde")
    check("no boundary is 400", s.recv(1000).startswith(b"HTTP/1.1 400"))
    s.close()
    s = raw_upload(session, 1 << 40, b"")
    check("a length beyond the limit is 413 at once", s.recv(1000).startswith(b"HTTP/1.1 413"))
    s.close()
    answer = session.send("POST", "/api/collections/docs/records", files=[("one", ("x" * 1000 + ".txt", b"long"))])
    check("a name of 1 kB is cut", answer.status_code == 200 and len(answer.json()["one"]) < 130, answer.text[:200])
    for name in ["a\x01b.txt", "con.txt", "-rf.txt", "a'\"b.txt", "..", ".", "../../evil.txt", "..\\..\\evil.txt", "/etc/passwd"]:
        answer = session.send("POST", "/api/collections/docs/records", files=[("one", (name, b"odd"))])
        stored = answer.json().get("one", "")
        check("the name %r is made harmless" % name, answer.status_code == 200 and re.fullmatch(r"[a-z0-9_]+(\.[A-Za-z0-9_.*+=#-]+)?", stored), stored)


def rss(pid):
    with open("/proc/%d/status" % pid) as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


def memory(session):
    """A large upload and its download must not pass through memory."""
    answer = session.send("PATCH", "/api/collections/docs", session.root, json={"fields": [
        {**f, "maxSize": 400_000_000} if f["name"] == "one" else f for f in session.send("GET", "/api/collections/docs", session.root).json()["fields"]]})
    assert answer.status_code == 200, answer.text
    size = 200_000_000
    pid = session.server.process.pid
    before = peak = rss(pid)
    stop = threading.Event()

    def watch():
        nonlocal peak
        while not stop.is_set():
            peak = max(peak, rss(pid))
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    piece = b"0123456789abcdef" * 4096
    tail = b"\r\n--B--\r\n"
    s = raw_upload(session, len(PART) + size // len(piece) * len(piece) + len(tail), PART)
    for _ in range(size // len(piece)):
        s.sendall(piece)
    s.sendall(tail)
    head = s.recv(65536)
    s.close()
    check("200 MB are taken", head.startswith(b"HTTP/1.1 200"), head[:200])
    record = json.loads(head[head.index(b"\r\n\r\n") + 4:])
    with session.http.get(session.url + "/api/files/docs/%s/%s" % (record["id"], record["one"]), stream=True) as answer:
        got = sum(len(chunk) for chunk in answer.iter_content(1 << 20))
    stop.set()
    watcher.join()
    check("and given out", got == size // len(piece) * len(piece), got)
    check("memory stays within 20 MB of before", peak - before < 20_000, "%d kB" % (peak - before))


def killed(server, session):
    """kill -9 during uploads: after the next start every file belongs to a record and every record has its files."""
    for turn in range(4):
        stop = threading.Event()

        def upload(number):
            rng = random.Random(turn * 10 + number)
            while not stop.is_set():
                try:
                    requests.post(session.url + "/api/collections/docs/records", timeout=10,
                                  files=[("many", ("f%d.bin" % n, rng.randbytes(rng.randrange(1, 100_000)))) for n in range(3)])
                    listed = requests.get(session.url + "/api/collections/docs/records?perPage=1&sort=@random", timeout=10).json()["items"]
                    if listed:
                        requests.patch(session.url + "/api/collections/docs/records/" + listed[0]["id"], timeout=10, files=[("many", ("n.bin", rng.randbytes(5000)))])
                except (requests.RequestException, ValueError):
                    return

        threads = [threading.Thread(target=upload, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.5 + 0.2 * turn)
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        server.spawn()
        server.wait()
        session.url = server.url
        time.sleep(0.3)
        named = set()
        page = 1
        while True:
            items = session.send("GET", "/api/collections/docs/records?perPage=500&page=%d" % page).json()["items"]
            for item in items:
                for name in item["many"] + [item["one"], item["secret"]] + item["images"]:
                    if name:
                        named.add("%s/%s/%s" % (item["collectionId"], item["id"], name))
            if len(items) < 500:
                break
            page += 1
        stored = {name for name in session.storage() if name.startswith(session.docs)}
        files = {name for name in stored if not name.endswith(".attrs")}
        check("turn %d: every record has its files" % turn, named <= files, sorted(named - files)[:3])
        check("turn %d: every file has its record" % turn, files <= named, sorted(files - named)[:3])
        check("turn %d: every file has its attributes and nothing else is there" % turn, stored == files | {name + ".attrs" for name in files}, sorted(stored - files)[:3])
        check("turn %d: no upload waits" % turn, not leftovers(session), leftovers(session))


def full_disk(command):
    """A limit on the size of files stands in for a disk that is full in the middle of an upload."""
    with tempfile.TemporaryDirectory(prefix="filetest-") as home:
        server = Server(command, home, "Roost")
        server.upsert_superuser()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, hard))
        try:
            server.spawn()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        try:
            server.wait()
            session = Session(server, "Roost")
            set_up(session)
            session.send("PATCH", "/api/collections/docs", session.root, json={"fields": [
                {**f, "maxSize": 40_000_000} if f["name"] == "one" else f for f in session.send("GET", "/api/collections/docs", session.root).json()["fields"]]})
            answer = session.send("POST", "/api/collections/docs/records", files=[("one", ("big.bin", b"x" * 8_000_000))])
            check("a full disk is 507", answer.status_code == 507, answer.text)
            check("and leaves nothing", wait_for(lambda: not session.storage() and not leftovers(session)), (session.storage(), leftovers(session)))
            answer = session.send("POST", "/api/collections/docs/records", files=[("one", ("small.bin", b"x" * 1000))])
            check("what fits is taken", answer.status_code == 200, answer.text)
        finally:
            server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--roost")
    parser.add_argument("--pocketbase")
    options = parser.parse_args()
    roost = find_roost(options.roost)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        theirs = pool.submit(run, find_pocketbase(options.pocketbase), "PocketBase")
        ours = pool.submit(run, roost, "Roost")
        theirs, ours = theirs.result(), ours.result()
    for step, expected in theirs.items():
        seen = ours[step]
        for index in range(max(len(expected), len(seen))):
            a = expected[index] if index < len(expected) else ("nothing", "")
            b = seen[index] if index < len(seen) else ("nothing", "")
            check("%s: %s" % (step, a[0]), a == b, None if a == b else {"PocketBase": a[1], "Roost": b[1]})
    roost_alone(roost)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
