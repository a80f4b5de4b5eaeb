"""Files in S3, on PocketBase and Roost against moto's server, and on Roost alone against a service that misbehaves.

    python Tests/Compatibility/s3test.py [--roost PATH] [--pocketbase PATH] [--large MEGABYTES]

The same steps run on both, each with a bucket of its own, and must give the same answers and the same objects."""

import argparse
import concurrent.futures
import hashlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from xml.etree import ElementTree

import requests

import filetest
from faultys3 import FaultyS3
from filetest import SAMPLES, Session, check, create, rss, set_up
from server import Server, find_pocketbase, find_roost, free_port


class Moto:
    """moto's server, and a look into its buckets."""

    def __init__(self):
        self.port = free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        program = os.path.join(os.path.dirname(sys.executable), "moto_server")
        self.process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(self.port)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.http = requests.Session()
        # It looks at no signature, but wants one.
        self.http.headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=test/20240101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.http.get(self.url, timeout=5) and None
            except requests.ConnectionError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    sys.exit("moto's server did not start")
                time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def make(self, bucket):
        assert self.http.put("%s/%s" % (self.url, bucket)).ok

    def keys(self, bucket, prefix=""):
        found, token = [], None
        while True:
            query = {"list-type": "2", "prefix": prefix, **({"continuation-token": token} if token else {})}
            root = ElementTree.fromstring(self.http.get("%s/%s" % (self.url, bucket), params=query).content)
            name = root.tag[:root.tag.index("}") + 1]
            found += [item.findtext(name + "Key") for item in root.iter(name + "Contents")]
            token = root.findtext(name + "NextContinuationToken")
            if not token:
                return sorted(found)

    def uploads(self, bucket):
        return self.http.get("%s/%s" % (self.url, bucket), params={"uploads": ""}).text.count("<UploadId>")

    def head(self, bucket, key):
        answer = self.http.head("%s/%s/%s" % (self.url, bucket, urllib.parse.quote(key)))
        headers = {k.lower(): v for k, v in answer.headers.items()}
        return {k: v for k, v in headers.items() if k.startswith("x-amz-meta") or k in ("content-type", "content-length", "content-disposition", "cache-control", "content-encoding")}

    def settings(self, bucket, **more):
        return {"enabled": True, "bucket": bucket, "region": "us-east-1", "endpoint": self.url, "accessKey": "test", "secret": "test",
                "forcePathStyle": True, **more}


def use(session, settings, purpose="s3"):
    patch = {"s3": settings} if purpose == "s3" else {"backups": {"s3": settings}}
    answer = session.send("PATCH", "/api/settings", session.root, json=patch)
    assert answer.status_code == 200, answer.text


class Bucket:
    """What `filetest` looks at on a disk, in a bucket."""

    def __init__(self, moto, name):
        self.moto, self.name = moto, name

    def objects(self):
        return self.moto.keys(self.name)

    def wait(self, count, seconds=10):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and len(self.objects()) != count:
            time.sleep(0.05)
        return len(self.objects())


def compare(command, label, moto):
    with tempfile.TemporaryDirectory(prefix="s3test-") as home:
        server = Server(command, home, label)
        server.upsert_superuser()
        server.spawn()
        moto.make(label.lower())
        bucket = Bucket(moto, label.lower())
        try:
            server.wait()
            session = Session(server, label)
            set_up(session)
            local(session)
            tests(session, moto, bucket)
            use(session, moto.settings(bucket.name))
            objects(session, bucket)
            filetest.downloads(session)
            changes(session, bucket)
            thumbs(session, bucket)
            switch(session, moto, bucket)
            backups(session, moto, bucket)
            return session.seen
        finally:
            server.stop()


def local(session):
    session.before = create(session, files=[("one", ("before.txt", b"before"))]).json()


def tests(session, moto, bucket):
    """The settings' test."""
    def test(name, body, shown=True):
        answer = session.send("POST", "/api/settings/test/s3", session.root, **body)
        session.note("test: " + name, [answer.status_code, (answer.json() if answer.content else None) if shown else answer.json()["message"].split("\n")[0]])
    for body in [{}, {"filesystem": "nope"}, {"filesystem": ""}, {"filesystem": "storage"}, {"filesystem": "backups"}]:
        test(json.dumps(body), {"json": body})
    test("no object", {"json": [1]})
    test("a number", {"json": {"filesystem": 5}})
    for purpose, name in [("s3", "storage"), ("backups", "backups")]:
        use(session, moto.settings(bucket.name), purpose)
        test(name, {"json": {"filesystem": name}})
        test(name + " as a form", {"data": {"filesystem": name}})
        use(session, moto.settings("missing-bucket"), purpose)
        test(name + " without its bucket", {"json": {"filesystem": name}}, shown=False)
        use(session, moto.settings(bucket.name, endpoint="http://127.0.0.1:1"), purpose)
        test(name + " without a service", {"json": {"filesystem": name}}, shown=False)
        use(session, moto.settings(bucket.name, enabled=False), purpose)
    session.note("nothing is left of the tests", bucket.objects())


def objects(session, bucket):
    """The keys, types and metadata of what is stored."""
    names = list(SAMPLES) + ["a b+c&d=e@f:g,h;i?j.txt", "x" * 300 + ".txt", "100%.txt", "日本語.txt"]
    for name in names:
        before = set(bucket.objects())
        answer = create(session, files=[("one", (name, SAMPLES.get(name, b"some text")))])
        session.note("upload " + name, [answer.status_code, answer.json().get("one") or answer.json()])
        new = set(bucket.objects()) - before
        for key in new:
            record = answer.json()
            path = key.replace(record["collectionId"], "<collection>").replace(record["id"], "<record>")
            path = re.sub(r"/[a-z0-9]{10}_(?=[a-z0-9]{10}(\.|$))", "/<random>_", path)
            session.note("object of " + name, [path, bucket.moto.head(bucket.name, key)])
            session.answer("get " + name, session.send("GET", "/api/files/docs/%s/%s" % (record["id"], record["one"])))
            session.answer("head " + name, session.send("HEAD", "/api/files/docs/%s/%s" % (record["id"], record["one"])), body=False)
        session.note("objects of " + name, len(new))


def changes(session, bucket):
    base = len(bucket.objects())
    record = create(session, files=[("many", ("aaaa.txt", b"a")), ("many", ("bbbb.txt", b"b")), ("one", ("cccc.txt", b"c"))]).json()
    path = "/api/collections/docs/records/" + record["id"]
    session.note("created", bucket.wait(base + 3) - base)

    def patch(name, count, **body):
        answer = session.send("PATCH", path, **body)
        session.note(name, [answer.status_code, bucket.wait(base + count) - base])
    patch("append", 4, files=[("many+", ("dddd.txt", b"d"))])
    patch("remove one", 3, json={"many-": [record["many"][1]]})
    patch("replace", 3, files=[("one", ("gggg.txt", b"g"))])
    patch("refused", 3, data={"title": "x" * 30}, files=[("one", ("iiii.txt", b"i"))])
    session.note("deleted", [session.send("DELETE", path).status_code, bucket.wait(base) - base])
    answer = session.send("POST", "/api/collections", session.root, json={**filetest.DOCS, "name": "brief"})
    for n in range(3):
        create(session, files=[("one", ("n%d.txt" % n, b"n"))], collection="brief")
    session.note("of a collection", bucket.wait(base + 3) - base)
    session.note("deleted with the collection", [session.send("DELETE", "/api/collections/brief", session.root).status_code, bucket.wait(base) - base])
    use_batch = session.send("PATCH", "/api/settings", session.root, json={"batch": {"enabled": True, "maxRequests": 10, "timeout": 10}})
    assert use_batch.status_code == 200
    for name, title, count in [("batch", "ok", 2), ("refused batch", "x" * 30, 2)]:
        body = {"requests": [{"method": "POST", "url": "/api/collections/docs/records", "body": {"title": t}} for t in ("ok", title)]}
        answer = session.send("POST", "/api/batch", session.root, data={"@jsonPayload": json.dumps(body)},
                              files=[("requests.%d.one" % n, ("b%d.txt" % n, b"b")) for n in range(2)])
        session.note(name, [answer.status_code, bucket.wait(base + count) - base])
    answer = create(session, files=[("secret", ("ssss.txt", b"secret"))])
    session.answer("protected", session.send("GET", "/api/files/docs/%s/%s" % (answer.json()["id"], answer.json()["secret"])))


def thumbs(session, bucket):
    """Thumbs lie beside their original and go with it."""
    record = create(session, files=[("many", ("pixel.png", SAMPLES["pixel.png"]))]).json()
    base = len(bucket.objects())
    path = "/api/files/docs/%s/%s" % (record["id"], record["many"][0])
    answer = session.send("GET", path + "?thumb=50x50")
    session.note("thumb", [answer.status_code, answer.headers.get("content-type")])
    session.note("deleted with its thumbs", [session.send("DELETE", "/api/collections/docs/records/" + record["id"]).status_code,
                                            bucket.wait(base - 1) - base])


def backups(session, moto, bucket):
    """Backups lie in a bucket of their own."""
    name = bucket.name + "-backups"
    moto.make(name)
    use(session, moto.settings(name), "backups")

    def step(what, answer, *more):
        objects = [(key, {k: v for k, v in moto.head(name, key).items() if k != "content-length"}) for key in moto.keys(name)]
        session.note("backup " + what, [answer.status_code, objects, *more])
        return answer
    step("made", session.send("POST", "/api/backups", session.root, json={"name": "one.zip"}))
    answer = session.send("GET", "/api/backups", session.root)
    step("listed", answer, [item["key"] for item in answer.json()])
    token = session.send("POST", "/api/files/token", session.root).json()["token"]
    answer = session.send("GET", "/api/backups/one.zip?token=" + token)
    step("downloaded", answer, answer.content[:2].decode(), answer.headers.get("content-type"), answer.headers.get("content-disposition"),
         int(answer.headers["content-length"]) == len(answer.content))
    step("uploaded", session.send("POST", "/api/backups/upload", session.root, files=[("file", ("up.zip", answer.content, "application/zip"))]))
    step("deleted", session.send("DELETE", "/api/backups/one.zip", session.root))
    folder = os.path.join(session.server.dir, "backups")
    session.note("backups on the disk", os.listdir(folder) if os.path.isdir(folder) else [])


def switch(session, moto, bucket):
    """A change of the settings counts at once, and moves nothing."""
    record = create(session, files=[("one", ("inside.txt", b"inside"))]).json()
    path = "/api/files/docs/%s/%s" % (record["id"], record["one"])
    older = "/api/files/docs/%s/%s" % (session.before["id"], session.before["one"])
    session.note("in S3", [session.send("GET", path).status_code, session.send("GET", older).status_code])
    use(session, moto.settings(bucket.name, enabled=False))
    session.note("local again", [session.send("GET", path).status_code, session.send("GET", older).status_code])
    use(session, moto.settings(bucket.name))
    session.note("in S3 again", [session.send("GET", path).status_code, session.send("GET", older).status_code])


# Roost alone

def wait_for(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def upload(session, content=b"content", name="f.bin", field="one", **more):
    return session.send("POST", "/api/collections/docs/records", files=[(field, (name, content))], **more)


def get(session, record, field="one", **more):
    return session.send("GET", "/api/files/docs/%s/%s" % (record["id"], record[field]), **more)


def allow_large(session, size):
    fields = session.send("GET", "/api/collections/docs", session.root).json()["fields"]
    answer = session.send("PATCH", "/api/collections/docs", session.root, json={
        "fields": [{**f, "maxSize": size} if f["name"] == "one" else f for f in fields]})
    assert answer.status_code == 200, answer.text


def leftovers(session):
    folder = os.path.join(session.server.dir, "_roost_uploads")
    return os.listdir(folder) if os.path.isdir(folder) else []


def misbehaviour(command, *steps):
    service = FaultyS3()
    with tempfile.TemporaryDirectory(prefix="s3test-") as home:
        server = Server(command, home, "Roost")
        server.upsert_superuser()
        server.spawn()
        try:
            server.wait()
            session = Session(server, "Roost")
            set_up(session)
            allow_large(session, 200_000_000)
            use(session, service.settings())
            for step in steps:
                step(server, session, service)
        finally:
            server.stop()
            service.stop()
    check("every signature and hash is right", not service.wrong, service.wrong[:3])


def faults(_, session, service):
    record = upload(session, b"0123456789" * 20000).json()
    content = b"0123456789" * 20000
    check("what is stored comes back", get(session, record).content == content)
    # Faults that pass.
    for action in ["503", "500 html", "reset", "reset early", "400 timeout", "lost answer"]:
        service.fault("PUT", action, times=2)
        answer = upload(session, b"again")
        check("an upload survives %r" % action, answer.status_code == 200 and get(session, answer.json()).content == b"again", answer.text[:200])
    for action in ["503", "500 html", "reset", "cut", "slow"]:
        service.fault("GET", action, times=2)
        answer = get(session, record)
        check("a download survives %r" % action, answer.status_code == 200 and answer.content == content, (answer.status_code, len(answer.content)))
        service.fault("GET", action)
        answer = get(session, record, headers={"Range": "bytes=1000-150000"})
        check("a range survives %r" % action, answer.status_code == 206 and answer.content == content[1000:150001], (answer.status_code, len(answer.content)))
    service.fault("HEAD", "503", times=2)
    check("a HEAD survives 503", session.send("HEAD", "/api/files/docs/%s/%s" % (record["id"], record["one"])).headers["content-length"] == str(len(content)))
    service.fault("GET", "ignores ranges", times=1)
    check("a service that ignores ranges", get(session, record, headers={"Range": "bytes=7-16"}).content == content[7:17])
    # Faults that stay: a clear answer, nothing stored, nothing left.
    before = dict(service.objects)
    for action in ["503", "reset", "403", "redirect"]:
        service.fault("PUT", action, times=1000)
        answer = upload(session, b"never")
        check("a lasting %r is 503" % action, answer.status_code == 503 and answer.json()["data"] == {} and "storage" in answer.json()["message"], answer.text[:200])
        service.calm()
        check("and leaves nothing (%s)" % action, wait_for(lambda: not leftovers(session)) and service.objects.keys() == before.keys(), leftovers(session))
    total = session.send("GET", "/api/collections/docs/records?perPage=1").json()["totalItems"]
    service.fault("PUT", "503", times=1000)
    service.fault("DELETE", "503", times=1000)
    upload(session, b"never", name="kept.bin")
    service.calm()
    check("no record is made", session.send("GET", "/api/collections/docs/records?perPage=1").json()["totalItems"] == total)
    for action, status in [("503", 503), ("403", 503), ("garbage", 200)]:
        service.fault("GET", action, times=1000)
        answer = get(session, record)
        check("a download with a lasting %r is %d" % (action, status), answer.status_code == status, answer.status_code)
        service.calm()
    service.fault("HEAD", "no length", times=1000)
    answer = get(session, record, headers={"If-None-Match": '"x"'})
    check("a HEAD without a length is 503", answer.status_code == 503, answer.status_code)
    service.calm()
    service.fault("GET", "wrong range", times=1000)
    answer = get(session, record, headers={"Range": "bytes=5-9"})
    check("another range than asked for is never passed on", answer.status_code == 503, (answer.status_code, answer.content))
    service.calm()
    key = "%s/%s/%s" % (record["collectionId"], record["id"], record["one"])
    kept = service.objects.pop(key)
    check("an object that is gone is 404", get(session, record).status_code == 404)
    service.objects[key] = kept
    # Cut for good: the client must be able to tell.
    service.fault("GET", "cut", times=1000)
    try:
        answer = get(session, record)
        whole = len(answer.content) == len(content)
    except requests.RequestException:
        whole = None
    check("a file that is always cut is no whole file unless it came piece by piece", whole is None or answer.content == content, whole)
    service.calm()
    # Removing: done later when the service refuses.
    service.fault("DELETE", "403", times=1000)
    check("a delete is answered", session.send("DELETE", "/api/collections/docs/records/" + record["id"]).status_code == 204)
    time.sleep(0.5)
    check("the object is still there", key in service.objects)
    service.calm()


def parts(_, session, service):
    content = random.Random(3).randbytes(40 << 20)
    digest = hashlib.sha256(content).hexdigest()
    before = service.count("PUT", "partNumber")
    record = upload(session, content).json()
    check("40 MB go up in parts", service.count("PUT", "partNumber") - before == 3, service.count("PUT", "partNumber") - before)
    check("and come back", hashlib.sha256(get(session, record).content).hexdigest() == digest)
    key = "%s/%s/%s" % (record["collectionId"], record["id"], record["one"])
    check("with their metadata", service.objects[key][1].get("x-amz-meta-original-filename") == "f.bin", service.objects[key][1])
    service.fault("PUT", "503", times=2, target="partNumber")
    service.fault("PUT", "reset", times=1, target="partNumber=2")
    service.fault("POST", "503", times=1, target="uploadId")
    answer = upload(session, content)
    check("parts are sent again", answer.status_code == 200 and hashlib.sha256(get(session, answer.json()).content).hexdigest() == digest, answer.text[:200])
    service.fault("POST", "lost answer", times=1, target="uploadId")
    answer = upload(session, content)
    check("a lost answer to the end of an upload", answer.status_code == 200 and hashlib.sha256(get(session, answer.json()).content).hexdigest() == digest, answer.text[:200])
    service.fault("GET", "cut", times=3)
    check("40 MB that are cut three times", hashlib.sha256(get(session, record).content).hexdigest() == digest)
    objects = set(service.objects)
    for method, action, target in [("PUT", "403", "partNumber=2"), ("PUT", "no tag", "partNumber"), ("POST", "error under 200", "uploadId"),
                                   ("POST", "garbage", "uploads"), ("POST", "503", "uploads")]:
        service.fault(method, action, times=1000, target=target)
        answer = upload(session, content)
        service.calm()
        check("%s of %s is 503" % (action, target), answer.status_code == 503, answer.text[:200])
        check("and no part is left (%s)" % action, wait_for(lambda: not service.uploads and not leftovers(session)) and set(service.objects) == objects, service.uploads.keys())


def dialects(_, session, service):
    for name, body in [("empty.txt", b""), ("a b+c.txt", b"x"), ("wörter 日本.txt", b"y"), ("x.c++", b"z"), ("p%41.t#t", b"q")]:
        answer = upload(session, body, name=name)
        check("the name %r" % name, answer.status_code == 200, answer.text[:200])
        back = get(session, {**answer.json(), "one": urllib.parse.quote(answer.json()["one"])})
        check("and back %r" % name, back.status_code == 200 and back.content == body, (back.status_code, back.content[:20]))
        key = "%s/%s/%s" % (answer.json()["collectionId"], answer.json()["id"], answer.json()["one"])
        check("its key %r" % name, key in service.objects and urllib.parse.unquote(service.objects[key][1]["x-amz-meta-original-filename"]) == name, key)
    for more in [{"endpoint": service.url + "/"}, {"endpoint": "http://localhost:%d" % service.port, "forcePathStyle": False}]:
        use(session, service.settings(**more))
        before = service.count("PUT")
        answer = upload(session, b"styled")
        check("endpoint %s" % more, answer.status_code == 200 and get(session, answer.json()).content == b"styled" and service.count("PUT") == before + 1, answer.text[:200])
    known = len(service.wrong)
    use(session, service.settings(secret="wrong"))
    answer = upload(session, b"denied")
    check("a wrong secret is 503", answer.status_code == 503, answer.text[:200])
    answer = session.send("POST", "/api/settings/test/s3", session.root, json={"filesystem": "storage"})
    check("the test says why", answer.status_code == 400 and "SignatureDoesNotMatch" in answer.json()["message"], answer.text[:300])
    time.sleep(0.3)
    use(session, service.settings())
    check("the service has refused", len(service.wrong) > known)
    del service.wrong[known:]
    # More objects than a page of a list has.
    answer = session.send("POST", "/api/collections/docs/records", files=[("many", ("m%d.txt" % n, b"m")) for n in range(5)])
    record = answer.json()
    prefix = "%s/%s/" % (record["collectionId"], record["id"])
    session.send("DELETE", "/api/collections/docs/records/" + record["id"])
    check("all pages of a list are removed", wait_for(lambda: not [k for k in service.objects if k.startswith(prefix)]))


def slow_clients(_, session, service):
    """Clients that take nothing hold no thread and no connection to the service."""
    content = random.Random(5).randbytes(24 << 20)
    record = upload(session, content).json()
    path = "/api/files/docs/%s/%s" % (record["id"], record["one"])
    sockets = []
    for _ in range(80):
        s = socket.create_connection(("127.0.0.1", session.server.port))
        s.sendall(("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path).encode())
        sockets.append(s)
    time.sleep(1)
    # None of them ever goes on by itself, so that a request that had to wait for one would wait in vain; how long an answer takes depends on this process, where the service runs too.
    answer = requests.get(session.server.url + "/api/health", timeout=15)
    check("other requests are answered meanwhile", answer.status_code == 200)
    check("and so are other downloads", get(session, record).content == content)
    for s in sockets[5:]:
        s.close()
    time.sleep(4)
    for s in sockets[:5]:
        got = b""
        while True:
            piece = s.recv(1 << 16)
            if not piece:
                break
            got += piece
        s.close()
        check("a client that waited gets all of it", got[got.index(b"\r\n\r\n") + 4:] == content, len(got))


def named_files(session):
    named = set()
    page = 1
    while True:
        items = session.send("GET", "/api/collections/docs/records?perPage=500&page=%d" % page).json()["items"]
        for item in items:
            for name in item["many"] + [item["one"], item["secret"]] + item["images"]:
                if name:
                    named.add("%s/%s/%s" % (item["collectionId"], item["id"], name))
        if len(items) < 500:
            return named
        page += 1


def killed(server, session, service):
    """kill -9 during uploads: after the next start every object belongs to a record and every record has its objects."""
    for turn in range(3):
        stop = threading.Event()

        def work(number):
            rng = random.Random(turn * 10 + number)
            while not stop.is_set():
                try:
                    size = rng.randrange(1, 100_000) if number else 36 << 20
                    requests.post(session.url + "/api/collections/docs/records", timeout=30, files=[("one", ("f.bin", rng.randbytes(size)))])
                    listed = requests.get(session.url + "/api/collections/docs/records?perPage=1&sort=@random", timeout=10).json()["items"]
                    if listed and number:
                        requests.patch(session.url + "/api/collections/docs/records/" + listed[0]["id"], timeout=10, files=[("many", ("n.bin", rng.randbytes(5000)))])
                        if rng.random() < 0.3:
                            requests.delete(session.url + "/api/collections/docs/records/" + listed[0]["id"], timeout=10)
                except (requests.RequestException, ValueError):
                    return

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(1.2 + 0.4 * turn)
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        server.spawn()
        server.wait()
        session.url = server.url
        check("turn %d: no upload waits" % turn, wait_for(lambda: not leftovers(session)), leftovers(session))
        wait_for(lambda: set(service.objects) == named_files(session))
        named, stored = named_files(session), set(service.objects)
        check("turn %d: every record has its objects" % turn, named <= stored, sorted(named - stored)[:3])
        check("turn %d: every object has its record" % turn, stored <= named, sorted(stored - named)[:3])
        check("turn %d: no part is left" % turn, wait_for(lambda: not service.uploads), list(service.uploads)[:3])


def unreachable(server, session, service):
    """A service that is not there at the start holds up nothing."""
    record = upload(session, b"here").json()
    service.fault("*", "503", times=100000)
    session.send("DELETE", "/api/collections/docs/records/" + record["id"])
    server.kill()
    start = time.monotonic()
    server.spawn()
    server.wait()
    session.url = server.url
    check("the start does not wait for the service", time.monotonic() - start < 5, time.monotonic() - start)
    service.calm()
    server.kill()
    server.spawn()
    server.wait()
    session.url = server.url
    check("what was to be removed is removed at the next start", wait_for(lambda: not [k for k in service.objects if record["id"] in k]))
    check("and no object is without a record", wait_for(lambda: set(service.objects) <= named_files(session)))


def without_plugin(command):
    with tempfile.TemporaryDirectory(prefix="s3test-") as home:
        server = Server(command, home, "Roost")
        server.upsert_superuser()
        server.run("plugin", "disable", "org.roost.s3")
        server.spawn()
        try:
            server.wait()
            session = Session(server, "Roost")
            set_up(session)
            record = upload(session, b"local").json()
            use(session, {"enabled": True, "bucket": "b", "region": "r", "endpoint": "http://127.0.0.1:1", "accessKey": "a", "secret": "s"})
            for name, answer in [("an upload", upload(session)), ("a download", get(session, record))]:
                check("%s without the plugin is 503" % name, answer.status_code == 503, answer.text)
            answer = session.send("POST", "/api/settings/test/s3", session.root, json={"filesystem": "storage"})
            check("the test names the plugin", answer.status_code == 400 and "org.roost.s3" in answer.text, answer.text)
            check("the log names the plugin", wait_for(lambda: "org.roost.s3" in session.send(
                "GET", "/api/logs?filter=" + urllib.parse.quote("level>0"), session.root).text, 10))
            check("a record without files is made", session.send("POST", "/api/collections/docs/records", json={"title": "x"}).status_code == 200)
            use(session, {"enabled": False})
            check("and local files are there again", get(session, record).content == b"local")
        finally:
            server.stop()


def memory(command, megabytes):
    """A large file passes through without growing the process."""
    service = FaultyS3()
    with tempfile.TemporaryDirectory(prefix="s3test-") as home:
        server = Server(command, home, "Roost")
        server.upsert_superuser()
        server.spawn()
        try:
            server.wait()
            session = Session(server, "Roost")
            set_up(session)
            allow_large(session, 2_000_000_000)
            use(session, service.settings())
            upload(session, b"warm")
            pid, peak, stop = server.process.pid, 0, threading.Event()
            before = rss(pid)

            def watch():
                nonlocal peak
                while not stop.is_set():
                    peak = max(peak, rss(pid))
                    time.sleep(0.005)

            watcher = threading.Thread(target=watch)
            watcher.start()
            piece, tail = b"0123456789abcdef" * 65536, b"\r\n--B--\r\n"
            start = time.monotonic()
            s = filetest.raw_upload(session, len(filetest.PART) + megabytes * len(piece) + len(tail), filetest.PART)
            for _ in range(megabytes):
                s.sendall(piece)
            s.sendall(tail)
            s.settimeout(300)
            head = b""
            while b"\r\n\r\n" not in head or not head.rstrip().endswith(b"}"):
                got = s.recv(65536)
                if not got:
                    break
                head += got
            s.close()
            up = time.monotonic() - start
            check("%d MB are taken" % megabytes, head.startswith(b"HTTP/1.1 200"), head[:200])
            after_upload = peak
            record = json.loads(head[head.index(b"\r\n\r\n") + 4:])
            start = time.monotonic()
            with session.http.get(session.url + "/api/files/docs/%s/%s" % (record["id"], record["one"]), stream=True) as answer:
                got = sum(len(chunk) for chunk in answer.iter_content(1 << 20))
            down = time.monotonic() - start
            stop.set()
            watcher.join()
            check("and given out", got == megabytes * len(piece), got)
            check("memory stays within 30 MB of before", peak - before < 30_000, "%d kB" % (peak - before))
            print("%d MB: up %.1f s, down %.1f s, memory +%d kB and +%d kB" % (megabytes, up, down, after_upload - before, peak - before))
        finally:
            server.stop()
            service.stop()


def numbered(seen):
    """What was seen by its name; with a number from the second of a name on."""
    result = {}
    for name, value in seen:
        count = sum(1 for other in result if other.split(" #")[0] == name)
        result[name if not count else "%s #%d" % (name, count + 1)] = value
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--roost")
    parser.add_argument("--pocketbase")
    parser.add_argument("--large", type=int, default=200, help="megabytes of the large file")
    parser.add_argument("--only", default="", help="compare, misbehaviour, plugin or memory")
    options = parser.parse_args()
    roost = find_roost(options.roost)
    wants = lambda name: not options.only or options.only == name
    moto = Moto() if wants("compare") else None
    try:
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            both = [pool.submit(compare, find_pocketbase(options.pocketbase), "PocketBase", moto),
                    pool.submit(compare, roost, "Roost", moto)] if wants("compare") else []
            others = [pool.submit(misbehaviour, roost, faults), pool.submit(misbehaviour, roost, parts, dialects, slow_clients),
                      pool.submit(misbehaviour, roost, killed, unreachable)] if wants("misbehaviour") else []
            others += [pool.submit(without_plugin, roost)] if wants("plugin") else []
            if both:
                theirs, ours = both[0].result(), both[1].result()
                theirs, ours = numbered(theirs), numbered(ours)
                for name in {**theirs, **ours}:
                    a, b = theirs.get(name, "nothing"), ours.get(name, "nothing")
                    check(name, a == b, None if a == b else {"PocketBase": a, "Roost": b})
            for other in others:
                other.result()
        if wants("memory"):
            memory(roost, options.large)
    finally:
        if moto:
            moto.stop()
    print("%d passed, %d failed" % (filetest.passed, filetest.failed))
    sys.exit(1 if filetest.failed else 0)


if __name__ == "__main__":
    main()
