"""The public folder on PocketBase and Roost: the same folder, the same requests, the same answers.

    python Tests/Compatibility/statictest.py [--roost PATH] [--pocketbase PATH]

Compression and entity tags are Roost's own and are tried on it alone."""

import argparse
import gzip
import os
import re
import socket
import sys
import tempfile

from server import Server, find_pocketbase, find_roost

passed = failed = 0
PAGE = b"<h1>home</h1>"
TEXT = b"hello world " * 300


def check(name, condition, seen=None):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print("FAIL %s%s" % (name, "" if seen is None else ": %r" % (seen,)))


def fill(folder):
    for name in ["sub/deep", "noindex", "dir.txt"]:
        os.makedirs(os.path.join(folder, name))
    files = {
        "index.html": PAGE, "sub/index.html": b"<h1>sub</h1>", "a.txt": TEXT, "app.js": b"console.log(1);" * 300,
        "style.css": b"b{color:red}" * 300, "x.unknownext": b"<html>hm", "noext": b"plain", ".hidden": b"hidden",
        "empty.txt": b"", "w\u00e4h lo.html": b"<p>x", "a%b.txt": b"percent", "my-index.html": b"mine", "UPPER.HTML": b"<p>",
        "json-unknownext": b'{"a": 1}', "binary-noext": bytes(range(256)), "comment": b"<!-- c --> x", "page": b"  <!doctype html> x",
        "xml": b"<?xml version='1.0'?>", "script": b"<script>", "almost": b"<scriptx", "mark": b"\xef\xbb\xbfhello", "zip": b"PK\x03\x04xx",
        "movie": b"\0\0\0\x18ftypmp42\0\0\0\0mp41isom", "wave": b"RIFF\x24\0\0\0WAVEfmt ", "webp": b"RIFF\x24\0\0\0WEBPVP8 ", "utf16": b"\xff\xfeh\0i\0",
        "bell": b"a\x07b", "escape": b"a\x1bb",
    }
    for suffix in ["svg", "json", "wasm", "woff", "woff2", "ico", "png", "jpg", "webp", "avif", "xml", "pdf", "mp4", "mp3", "md", "map",
                   "webmanifest", "ttf", "mjs", "htm", "gif", "csv", "zip", "gz", "bin", "jpeg", "eot", "wav", "webm", "jsx"]:
        files["f." + suffix] = b"\x00\x01data"
    for name, content in files.items():
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(content)
        os.utime(path, (1700000000, 1700000000))
    os.symlink("a.txt", os.path.join(folder, "inlink"))
    os.symlink("loop", os.path.join(folder, "loop"))


class Answer:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1]) if lines[0] else 0
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            self.headers.setdefault(name.lower(), []).append(value)

    def header(self, name):
        return ", ".join(self.headers.get(name, []))


def send(server, target, method="GET", headers=()):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        lines = ["%s %s HTTP/1.1" % (method, target), "Host: localhost", "Connection: close", *headers]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        raw = b""
        while True:
            piece = connection.recv(65536)
            if not piece:
                return Answer(raw)
            raw += piece


TARGETS = [
    "/", "/index.html", "/sub", "/sub/", "/sub/index.html", "/sub/nope", "/noindex", "/noindex/", "/nope", "/api/nope", "/api/", "/api", "/a.txt",
    "/a.txt/", "/a.txt//", "/sub//", "//sub", "/my-index.html", "/%2e%2e/secret", "/sub/%2e%2e/a.txt", "/sub/%2e%2e/%2e%2e/pb_data/data.db",
    "/..%2fpb_data%2fdata.db", "/%2e%2e%2fpb_data", "/sub%2fdeep", "/sub%2findex.html", "/%00", "/a%00.txt", "/w%C3%A4h%20lo.html", "/a%25b.txt",
    "/.hidden", "/empty.txt", "/inlink", "/loop", "/noext", "/x.unknownext", "/%5csub", "/%2f%2fsub", "/\\sub", "/a.txt?x=1", "/sub?x=1",
    "/nope.js", "/dir.txt", "/dir.txt/", "/%ff", "/a.TXT", "/UPPER.HTML", "/sub/deep", "/sub/deep/", "/index.html/", "/%2e", "/sub/%2e/",
    "/pb_data/data.db", "/../pb_data/data.db", "/a.txt%0d%0aX-Injected:1", "/sub%0d%0a", "/a+b", "/" + "x" * 300, "/" + "x/" * 600,
    "/json-unknownext", "/binary-noext", "/comment", "/page", "/xml", "/script", "/almost", "/mark", "/zip", "/movie", "/wave", "/webp", "/utf16", "/bell", "/escape",
]
COMPARED = ["content-type", "content-length", "location", "last-modified", "accept-ranges", "content-range", "x-frame-options",
            "x-content-type-options", "cross-origin-opener-policy", "cache-control", "content-encoding"]


def requests_of(folder):
    for target in TARGETS:
        yield target, "GET", ()
        yield target, "HEAD", ()
    for name in sorted(os.listdir(folder)):
        if name.startswith("f."):
            yield "/" + name, "GET", ()
    for method in ["POST", "PUT", "DELETE", "OPTIONS"]:
        yield "/a.txt", method, ()
    for header in ["Range: bytes=0-4", "Range: bytes=-4", "Range: bytes=0-1,3-4", "Range: bytes=99999-", "Range: bytes=x",
                   "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT", "If-Modified-Since: Mon, 13 Nov 2023 22:13:20 GMT",
                   "If-Unmodified-Since: Mon, 13 Nov 2023 22:13:20 GMT", "If-None-Match: \"other\""]:
        yield "/a.txt", "GET", (header,)
        yield "/", "HEAD", (header,)


def shown(answer, method="GET"):
    headers = {name: answer.header(name) for name in COMPARED if answer.header(name)}
    body = answer.body
    if headers.get("content-type", "").startswith("multipart/byteranges"):
        body = re.sub(rb"--\w+", b"--b", body)
        headers["content-type"] = "multipart/byteranges"
    if headers.get("content-type") == "application/json":
        # The end of the line of an error is compared elsewhere.
        headers.pop("content-length", None)
        body = body.rstrip(b"\n")
    if method == "HEAD" and answer.status != 200:
        # Go tells it when it happens to know it.
        headers.pop("content-length", None)
    return answer.status, headers, body


def compare(pocketbase, roost, folder, label):
    for target, method, headers in requests_of(folder):
        left, right = (shown(send(server, target, method, headers), method) for server in (pocketbase, roost))
        check("%s %s %s %s" % (label, method, target[:60], headers or ""), left == right, (left, right) if left != right else None)


def roost_alone(roost, folder):
    offers = ("Accept-Encoding: br, gzip;q=0.8",)
    for target, content in [("/a.txt", TEXT), ("/app.js", b"console.log(1);" * 300)]:
        plain = send(roost, target)
        check("%s says that it comes in two forms" % target, "Accept-Encoding" in plain.header("vary"), plain.headers)
        for turn in range(2):
            answer = send(roost, target, headers=offers)
            check("%s as gzip" % target, answer.header("content-encoding") == "gzip" and len(answer.body) < len(content) / 5, answer.headers)
            check("%s unpacked" % target, gzip.decompress(answer.body) == content)
            check("%s has the length" % target, answer.header("content-length") == str(len(answer.body)))
        head = send(roost, target, "HEAD", offers)
        check("%s HEAD" % target, head.header("content-length") == answer.header("content-length") and not head.body)
        check("%s tags differ" % target, plain.header("etag") and plain.header("etag") != answer.header("etag"))
        for tag, headers in [(plain.header("etag"), ()), (answer.header("etag"), offers)]:
            again = send(roost, target, headers=headers + ("If-None-Match: " + tag,))
            check("%s is known" % target, again.status == 304 and not again.body, again.status)
        part = send(roost, target, headers=offers + ("Range: bytes=0-4",))
        check("%s in part is not compressed" % target, part.status == 206 and part.body == content[:5])
    for target, header in [("/a.txt", "Accept-Encoding: gzip;q=0"), ("/f.png", offers[0]), ("/noext", offers[0])]:
        answer = send(roost, target, headers=(header,))
        check("%s with %s stays as it is" % (target, header), answer.status == 200 and not answer.header("content-encoding"))
    path = os.path.join(folder, "a.txt")
    with open(path, "wb") as file:
        file.write(b"changed " * 400)
    answer = send(roost, "/a.txt", headers=offers)
    check("a changed file is compressed anew", gzip.decompress(answer.body) == b"changed " * 400)
    os.mkfifo(os.path.join(folder, "pipe"))
    check("a pipe is no file", send(roost, "/pipe").status == 404)
    check("the server lives", send(roost, "/api/health").status == 200)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--roost")
    parser.add_argument("--pocketbase")
    options = parser.parse_args()
    os.environ.setdefault("SWIFT_BACKTRACE", "enable=no")
    commands = [("pocketbase", find_pocketbase(options.pocketbase)), ("roost", find_roost(options.roost))]
    with tempfile.TemporaryDirectory() as home:
        servers = []
        try:
            folder = os.path.join(home, "public")
            os.mkdir(folder)
            for label, command in commands:
                server = Server(command, os.path.join(home, label), label)
                os.makedirs(server.home, exist_ok=True)
                # Where both look for it by themselves.
                os.symlink(folder, os.path.join(server.home, "pb_public"))
                servers.append(server)
                server.spawn()
                server.wait()
            for server in servers:
                check("%s has no page yet" % server.label, send(server, "/").status == 404)
            check("an empty folder answers the same", shown(send(servers[0], "/x")) == shown(send(servers[1], "/x")))
            fill(folder)
            compare(*servers, folder, "by default")
            for server in servers:
                server.stop()
                server.spawn("--indexFallback=false", "--publicDir", folder)
                server.wait()
            compare(*servers, folder, "without fallback")
            roost_alone(servers[1], folder)
        finally:
            for server in servers:
                server.stop()
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
