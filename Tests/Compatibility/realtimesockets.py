"""WebSockets and resuming, which only Roost has. Run by realtimetest.py; `run` returns how many checks passed and failed."""

import base64
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import zlib

import requests

from server import SUPERUSER_EMAIL, SUPERUSER_PASSWORD, Server

results = [0, 0]


def check(name, condition, seen=None):
    results[0 if condition else 1] += 1
    if not condition:
        print("FAIL %s%s" % (name, "" if seen is None else ": %r" % (seen,)))


class Socket:
    """A WebSocket's client that can also do what it must not."""

    def __init__(self, port, path="/api/realtime", headers=None, key=None, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.buffer = b""
        key = key or base64.b64encode(os.urandom(16)).decode()
        lines = ["GET %s HTTP/1.1" % path, "Host: 127.0.0.1"]
        wanted = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key, **(headers or {})}
        lines += ["%s: %s" % (name, value) for name, value in wanted.items() if value is not None]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            piece = self.socket.recv(65536)
            if not piece:
                break
            self.buffer += piece
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.headers = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip() for line in lines[1:]}
        self.accept_is_right = self.headers.get("sec-websocket-accept") == base64.b64encode(
            hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()

    def frame(self, opcode, payload=b"", final=True, masked=True, reserved=0, length=None):
        head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
        size = len(payload) if length is None else length
        bit = 0x80 if masked else 0
        if size < 126:
            head += bytes([bit | size])
        elif size < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", size)
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", size)
        if not masked:
            return head + payload
        mask = os.urandom(4)
        return head + mask + bytes(byte ^ mask[index & 3] for index, byte in enumerate(payload))

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def send(self, message):
        self.send_raw(self.frame(1, json.dumps(message).encode()))

    def exactly(self, count):
        while len(self.buffer) < count:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError
            self.buffer += piece
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def receive(self):
        """(opcode, payload); EOFError at the end of the connection."""
        first, second = self.exactly(2)
        self.is_compressed = first & 0x40 != 0
        assert second & 0x80 == 0, "a server must not mask"
        size = second & 0x7F
        if size == 126:
            size = struct.unpack(">H", self.exactly(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.exactly(8))[0]
        payload = self.exactly(size)
        if self.is_compressed:
            # Each for itself: no context is kept.
            payload = zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")
        return first & 0x0F, payload

    def message(self, *types):
        """The next message, or the next of some types."""
        while True:
            opcode, payload = self.receive()
            if opcode == 1:
                message = json.loads(payload)
                if not types or message["type"] in types:
                    return message
            elif opcode == 8:
                raise EOFError(payload)

    def ask(self, **message):
        message.setdefault("id", os.urandom(4).hex())
        self.send(message)
        while True:
            answer = self.message()
            if answer.get("id") == message["id"]:
                return answer

    def closing(self):
        """The code of the close frame; None for an end without one."""
        try:
            while True:
                opcode, payload = self.receive()
                if opcode == 8:
                    return struct.unpack(">H", payload[:2])[0] if payload else 1005
        except (EOFError, OSError):
            return None

    def close(self):
        self.socket.close()


class Desk:
    """A server with a collection, and what the tests do to it."""

    def __init__(self, server):
        self.server, self.http = server, requests.Session()
        self.root = self.send("POST", "/api/collections/_superusers/auth-with-password", {"identity": SUPERUSER_EMAIL, "password": SUPERUSER_PASSWORD}).json()["token"]

    def send(self, method, path, body=None, token=None):
        return self.http.request(method, self.server.url + path, json=body, headers={"Authorization": token} if token else {}, timeout=30)

    def build(self):
        rules = {"listRule": "", "viewRule": "", "createRule": "", "updateRule": "", "deleteRule": ""}
        answer = self.send("POST", "/api/collections", {"name": "posts", "type": "base", **rules, "fields": [{"name": "title", "type": "text"}, {"name": "owner", "type": "text"}]}, self.root)
        assert answer.status_code == 200, answer.text
        answer = self.send("POST", "/api/collections", {"name": "mine", "type": "base", **rules, "listRule": "owner = @request.auth.id", "viewRule": "owner = @request.auth.id",
                                                        "fields": [{"name": "title", "type": "text"}, {"name": "owner", "type": "text"}]}, self.root)
        assert answer.status_code == 200, answer.text
        answer = self.send("POST", "/api/collections/users/records", {"id": "ann".ljust(15, "0"), "email": "ann@example.com", "password": "12345678", "passwordConfirm": "12345678"}, self.root)
        assert answer.status_code == 200, answer.text
        self.ann = self.send("POST", "/api/collections/users/auth-with-password", {"identity": "ann@example.com", "password": "12345678"}).json()["token"]

    def create(self, title, collection="posts", **more):
        answer = self.send("POST", "/api/collections/%s/records" % collection, {"title": title, **more}, self.root)
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]


def handshakes(server):
    port = server.port
    good = Socket(port)
    check("the handshake is accepted", good.status == 101 and good.accept_is_right, good.headers)
    good.close()
    known = Socket(port, key="dGhlIHNhbXBsZSBub25jZQ==")
    check("the key of the RFC's example", known.headers.get("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    known.close()
    for name, headers in (("another version", {"Sec-WebSocket-Version": "8"}), ("no key", {"Sec-WebSocket-Key": None}), ("a short key", {"Sec-WebSocket-Key": "abc"}),
                          ("no Connection: Upgrade", {"Connection": "keep-alive"})):
        bad = Socket(port, headers=headers)
        check("a handshake with %s is refused" % name, bad.status == 400, bad.status)
        bad.close()
    listed = Socket(port, headers={"Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket"})
    check("Upgrade among other options and in any case", listed.status == 101)
    listed.close()
    for offer in ("permessage-deflated", "permessage-deflate; client_max_window_bits; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=99, x-other",
                  "permessage-deflate; server_no_context_takeover; server_no_context_takeover", ";;,,="):
        offered = Socket(port, headers={"Sec-WebSocket-Extensions": offer})
        check("the extension %s is not taken" % offer, offered.status == 101 and "sec-websocket-extensions" not in offered.headers, offered.headers)
        check("and messages go uncompressed", offered.message("hello")["type"] == "hello")
        offered.close()
    # On a connection that was used for a request before, with the first frame right behind the handshake.
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n")
        raw.recv(65536)
        helper = Socket.__new__(Socket)
        helper.socket, helper.buffer = raw, b""
        raw.sendall(b"GET /api/realtime HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + helper.frame(1, b'{"type":"ping","id":7}'))
        data = b""
        while b'"pong"' not in data:
            piece = raw.recv(65536)
            if not piece:
                break
            data += piece
        check("a second request upgrades, with a frame right behind it", b" 101 " in data and b'{"type":"pong","id":7}' in data, data)


def violations(server):
    port = server.port
    text = "ä€😀".encode()

    def case(name, code, *frames):
        client = Socket(port)
        client.message("hello")
        for frame in frames:
            client.send_raw(frame(client) if callable(frame) else frame)
        found = client.closing()
        check("%s: close code %s" % (name, code), found == code, found)
        client.close()
    case("no mask", 1002, lambda c: c.frame(1, b"{}", masked=False))
    for bits in (1, 2, 4):
        case("reserved bit %d" % bits, 1002, lambda c: c.frame(1, b"{}", reserved=bits))
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        case("opcode %d" % opcode, 1002, lambda c: c.frame(opcode))
    case("fragmented ping", 1002, lambda c: c.frame(9, b"a", final=False))
    case("long ping", 1002, lambda c: c.frame(9, b"a" * 126))
    case("long close", 1002, lambda c: c.frame(8, b"\x03\xe8" + b"a" * 124))
    case("continuation of nothing", 1002, lambda c: c.frame(0, b"a"))
    case("text inside a message", 1002, lambda c: c.frame(1, b"{", final=False) + c.frame(1, b"}"))
    case("a close of one byte", 1002, lambda c: c.frame(8, b"\x03"))
    for bad in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        case("close with %d" % bad, 1002, lambda c: c.frame(8, struct.pack(">H", bad)))
    for good in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
        case("close with %d" % good, good, lambda c: c.frame(8, struct.pack(">H", good) + b"bye"))
    case("close without a code", 1000, lambda c: c.frame(8))
    case("a reason that is not UTF-8", 1007, lambda c: c.frame(8, b"\x03\xe8\xff\xfe"))
    case("text that is not UTF-8", 1007, lambda c: c.frame(1, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80"))
    case("text that is cut", 1007, lambda c: c.frame(1, text[:-1]))
    case("text of parts that is not UTF-8", 1007, lambda c: c.frame(1, b"\xce", final=False) + c.frame(0, b"\xba\xf0"))
    case("a close with 124 bytes of reason", 1002, lambda c: c.frame(8, b"\x03\xe8" + b"a" * 124))
    case("a close with 123 bytes of reason", 1000, lambda c: c.frame(8, b"\x03\xe8" + b"a" * 123))
    case("a reserved bit in a control frame", 1002, lambda c: c.frame(9, reserved=4))
    case("a reserved bit inside a message", 1002, lambda c: c.frame(1, b"a", final=False) + c.frame(0, b"b", reserved=1))
    case("a binary frame inside a message", 1002, lambda c: c.frame(1, b"a", final=False) + c.frame(2, b"b"))
    case("continuation after a whole message", 1002, lambda c: c.frame(1, b"{}") + c.frame(0, b"a", final=False))
    # Refused with the byte that makes it wrong, though neither the message nor the frame is at its end.
    case("no UTF-8 in a part", 1007, lambda c: c.frame(1, text + b"\xf4", final=False) + c.frame(0, b"\x90", final=False))
    case("no UTF-8 in a frame that has not come", 1007, lambda c: c.frame(1, text + b"\xed\xa0" + b"a" * 100)[:6 + len(text) + 2])
    case("a message that is too large", 1009, lambda c: c.frame(1, b"", length=(4 << 20) + 1))
    case("a length over 63 bits", 1002, lambda c: b"\x81\xff" + b"\xff" * 8)
    case("parts without end", 1009, lambda c: c.frame(1, b"a" * (1 << 20), final=False) + b"".join(c.frame(0, b"a" * (1 << 20), final=False) for _ in range(4)))

    client = Socket(port)
    client.message("hello")
    client.send_raw(client.frame(9, b"abc"))
    check("a ping is answered with its payload", client.receive() == (10, b"abc"))
    for payload in (b"", b"x" * 125, bytes(range(125)), b"\xff\xfe\x80"):
        client.send_raw(client.frame(9, payload))
        check("a ping with %r" % payload[:8], client.receive() == (10, payload))
    client.send_raw(b"".join(client.frame(9, b"%d" % number) for number in range(10)))
    check("ten pings at once", [client.receive() for _ in range(10)] == [(10, b"%d" % number) for number in range(10)])
    client.send_raw(client.frame(10, b"unasked"))
    whole = json.dumps({"type": "ping", "id": "ä€😀"}, ensure_ascii=False).encode()
    parts = [whole[index:index + 1] for index in range(len(whole))]
    client.send_raw(client.frame(1, parts[0], final=False) + b"".join(client.frame(0, part, final=False) + client.frame(9, b"p") for part in parts[1:-1]) + client.frame(0, parts[-1]))
    pongs = 0
    while True:
        opcode, payload = client.receive()
        if opcode == 10:
            pongs += 1
        else:
            break
    check("a message of one-byte parts with pings between", json.loads(payload) == {"type": "pong", "id": "ä€😀"} and pongs == len(parts) - 2, payload)
    for byte in client.frame(1, b'{"type":"ping","id":1}'):
        client.send_raw(bytes([byte]))
        time.sleep(0.001)
    check("a frame that comes byte by byte", client.message()["id"] == 1)
    long = "x" * 70000
    check("a long message", client.ask(type="ping", id=long)["id"] == long)
    for size in (65, 125, 126, 127, 128, 65535, 65536, 65537, 1 << 20):
        message = b'{"type":"ping","id":7,"x":"%s"}' % (b"y" * (size - 28))
        client.send_raw(client.frame(1, message))
        check("a message of %d bytes" % size, client.message() == {"type": "pong", "id": 7})
        step = max(size // 500, 13)
        client.send_raw(b"".join(client.frame(0 if at else 1, message[at:at + step], final=at + step >= len(message)) for at in range(0, len(message), step)))
        check("a message of %d bytes in pieces of %d" % (size, step), client.message() == {"type": "pong", "id": 7})
    client.send_raw(client.frame(1, b'{"type":"ping",', final=False) + client.frame(0, b"", final=False) * 20 + client.frame(0, b'"id":8}'))
    check("empty parts", client.message() == {"type": "pong", "id": 8})
    client.send_raw(client.frame(2, b"\x00\xff"))
    check("a binary message is refused", client.message()["status"] == 400)
    for bad in (b"", b"[]", b"{", b'"x"', b'{"type":"nope"}', b'{"type":1}', b"{}"):
        client.send_raw(client.frame(1, bad))
        check("the message %r is refused" % bad, client.message()["type"] == "error")
    client.close()


def compression(server, desk):
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
    agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    for header, answer in ((None, None), ("permessage-deflate; server_max_window_bits=9", None), ("other", None), (offer["Sec-WebSocket-Extensions"], agreed)):
        client = Socket(server.port, headers={"Sec-WebSocket-Extensions": header})
        check("extensions for %r" % header, client.status == 101 and client.headers.get("sec-websocket-extensions") == answer, client.headers)
        client.close()
    short = lambda text: (lambda one: (one.compress(text) + one.flush(zlib.Z_SYNC_FLUSH))[:-4])(zlib.compressobj(9, zlib.DEFLATED, -15))

    # One message, compressed once for those who take it, plain for the others.
    clients = [Socket(server.port, headers=offer if number < 10 else None) for number in range(12)]
    for client in clients:
        client.message("hello")
        check("subscribed", client.ask(type="subscribe", topics=["posts/*"])["type"] == "ack")
    title = "a long title " * 60
    desk.create(title)
    told = [(client.message("event")["record"]["title"], client.is_compressed) for client in clients]
    check("all are told the same", {one[0] for one in told} == {title}, told)
    check("ten are sent it compressed", [one[1] for one in told] == [True] * 10 + [False] * 2, told)
    desk.create("short")
    told = [(client.message("event")["record"]["title"], client.is_compressed) for client in clients]
    check("what is short is not compressed", told == [("short", False)] * 12, told)
    for client in clients[3:]:
        client.close()
    time.sleep(0.2)
    desk.create(title)
    told = [(client.message("event")["record"]["title"], client.is_compressed) for client in clients[:3]]
    check("nor what few are told", told == [(title, False)] * 3, told)

    # What clients send.
    client = clients[0]
    text = json.dumps({"type": "ping", "id": 7, "filler": "ä" * 3000}).encode()
    client.send_raw(client.frame(1, short(text), reserved=4))
    whole = client.message()
    client.send_raw(client.frame(1, short(text)[:9], reserved=4, final=False) + client.frame(9, b"x") + client.frame(0, short(text)[9:]))
    opcode, payload = client.receive()
    check("a ping between the parts", (opcode, payload) == (10, b"x"), (opcode, payload))
    parts = client.message()
    client.send_raw(client.frame(1, text))
    check("compressed, in parts and plain are the same", whole == parts == client.message() and whole.get("id") == 7, (whole, parts))
    for name, code, frames in (
            ("a bomb", 1009, lambda c: c.frame(1, short(b" " * (50 << 20)), reserved=4)), ("no deflate", 1007, lambda c: c.frame(1, b"\xff\xff\xff", reserved=4)),
            ("no UTF-8", 1007, lambda c: c.frame(1, short(b"\xe4" * 50), reserved=4)), ("a compressed ping", 1002, lambda c: c.frame(9, b"x", reserved=4)),
            ("a compressed continuation", 1002, lambda c: c.frame(1, short(text)[:9], reserved=4, final=False) + c.frame(0, short(text)[9:], reserved=4)),
            ("other reserved bits", 1002, lambda c: c.frame(1, short(text), reserved=6))):
        one = Socket(server.port, headers=offer)
        one.message("hello")
        one.send_raw(frames(one))
        found = one.closing()
        check("%s: close code %d" % (name, code), found == code, found)
        one.close()
    for one in clients[:3]:
        one.close()


def protocol(server, desk):
    client = Socket(server.port)
    hello = client.message()
    check("hello", hello["type"] == "hello" and len(hello["client"]) == 40 and "position" not in hello, hello)
    answer = client.ask(type="subscribe", topics=["posts/*", {"topic": "posts/*", "options": {"query": {"fields": "title"}}}, "mine/*"])
    check("subscribe", answer["type"] == "ack" and len(answer["topics"]) == 3, answer)
    picked = answer["topics"][1]
    first = desk.create("one")
    events = [client.message("event"), client.message("event")]
    check("an event for each topic", {event["topic"] for event in events} == {"posts/*", picked}, events)
    check("the fields asked for", [event["record"] for event in events if event["topic"] == picked] == [{"title": "one"}], events)
    desk.create("hidden", "mine", owner="ann".ljust(15, "0"))
    check("a token that is none", client.ask(type="auth", token="nope")["status"] == 401)
    check("auth", client.ask(type="auth", token=desk.ann).get("record", {}).get("id") == "ann".ljust(15, "0"))
    desk.create("shown", "mine", owner="ann".ljust(15, "0"))
    check("what the identity may see", client.message("event")["record"]["title"] == "shown")
    check("another identity", client.ask(type="auth", token=desk.root)["status"] == 403)
    check("unsubscribe", client.ask(type="unsubscribe", topics=["posts/*", picked])["type"] == "ack")
    desk.create("unheard")
    desk.create("heard", "mine", owner="ann".ljust(15, "0"))
    check("after unsubscribing", client.message("event")["record"]["title"] == "heard")
    for bad in ({}, {"topics": []}, {"topics": "posts/*"}, {"topics": [1]}, {"topics": ["a" * 2501]}, {"topics": ["t%d" % number for number in range(1001)]}, {"topics": ["x"], "after": "a-1"}):
        check("subscribe %s" % json.dumps(bad)[:40], client.ask(type="subscribe", **bad)["status"] == 400)

    def request(method, path, body=None):
        message = {"type": "request", "method": method, "path": path}
        if body is not None:
            message["body"] = body
        return client.ask(**message)
    for method, path, body in (("GET", "/api/collections/posts/records?sort=title&fields=title", None), ("GET", "/api/collections/posts/records/" + first, None),
                               ("GET", "/api/collections/posts/records/nope", None), ("GET", "/api/nope", None), ("GET", "/api/settings", None),
                               ("POST", "/api/collections/posts/records", {"id": "short"}), ("GET", "/api/collections/posts/records?filter=nope", None), ("GET", "/api/health", None)):
        over, plain = request(method, path, body), desk.send(method, path, body, desk.ann)
        check("%s %s is the same over the socket" % (method, path), over["type"] == "response" and over["status"] == plain.status_code and over["body"] == plain.json(), (over, plain.text))
    made = request("POST", "/api/collections/posts/records", {"title": "made"})
    check("create over the socket", made["status"] == 200 and made["body"]["title"] == "made", made)
    changed = request("PATCH", "/api/collections/posts/records/" + made["body"]["id"], {"title": "changed"})
    check("update over the socket", changed["body"]["title"] == "changed")
    gone = request("DELETE", "/api/collections/posts/records/" + made["body"]["id"])
    check("delete over the socket", gone["status"] == 204 and gone["body"] is None, gone)
    check("the identity counts", request("GET", "/api/collections/mine/records")["body"]["totalItems"] == 3)
    for path in ("posts", "http://x/", "/_/", "/api/x\r\ny", "/api/ä", 1, None):
        check("the path %r is refused" % path, client.ask(type="request", path=path)["type"] == "error")
    check("the method is refused", client.ask(type="request", method="TRACE", path="/api/health")["type"] == "error")
    check("no stream inside a socket", request("GET", "/api/realtime")["status"] >= 400)
    for number in range(200):
        client.send({"type": "request", "id": number, "path": "/api/health"})
    seen = [client.message("response", "error")["id"] for _ in range(200)]
    check("every one of many requests is answered", sorted(seen) == list(range(200)))
    check("auth ends", client.ask(type="auth", token="")["record"] is None)
    desk.create("not for guests", "mine", owner="ann".ljust(15, "0"))
    check("a guest's requests", request("GET", "/api/collections/mine/records")["body"]["totalItems"] == 0)
    # A new password signs out.
    client.ask(type="auth", token=desk.ann)
    answer = desk.send("PATCH", "/api/collections/users/records/" + "ann".ljust(15, "0"), {"password": "abcdefgh1", "passwordConfirm": "abcdefgh1"}, desk.root)
    check("the password is changed", answer.status_code == 200, answer.text)
    check("being signed out is told", client.message("auth")["record"] is None)
    desk.ann = desk.send("POST", "/api/collections/users/auth-with-password", {"identity": "ann@example.com", "password": "abcdefgh1"}).json()["token"]
    client.close()
    own = Socket(server.port, headers={"Authorization": desk.ann})
    own.message("hello")
    own.ask(type="subscribe", topics=["mine/*"])
    desk.create("by header", "mine", owner="ann".ljust(15, "0"))
    check("the handshake's token counts", own.message("event")["record"]["title"] == "by header")
    own.close()


def identities(server, desk):
    """What is expanded follows the record of who is signed in, on all of its connections."""
    vault = desk.send("POST", "/api/collections", {"name": "vault", "type": "base", "viewRule": "@request.auth.verified = true",
                                                   "fields": [{"name": "title", "type": "text"}]}, desk.root).json()["id"]
    fields = [{"name": "title", "type": "text"}, {"name": "vault", "type": "relation", "collectionId": vault, "maxSelect": 1}]
    answer = desk.send("POST", "/api/collections", {"name": "links", "type": "base", "listRule": "", "fields": fields}, desk.root)
    check("collections of which one is for verified users", answer.status_code == 200, answer.text)
    bob, kept = "bob".ljust(15, "0"), desk.create("gold", "vault")
    person = {"id": bob, "email": "bob@example.com", "password": "12345678", "passwordConfirm": "12345678"}
    assert desk.send("POST", "/api/collections/users/records", person, desk.root).status_code == 200
    token = desk.send("POST", "/api/collections/users/auth-with-password", {"identity": "bob@example.com", "password": "12345678"}).json()["token"]
    clients = [Socket(server.port) for _ in range(3)]
    for client in clients:
        client.message("hello")
        client.ask(type="auth", token=token)
        client.ask(type="subscribe", topics=[{"topic": "links/*", "options": {"query": {"expand": "vault"}}}])
    for verified in (False, True, False):
        answer = desk.send("PATCH", "/api/collections/users/records/" + bob, {"verified": verified}, desk.root)
        desk.create("link", "links", vault=kept)
        seen = ["vault" in client.message("event")["record"].get("expand", {}) for client in clients]
        check("three connections of somebody who is %sverified" % ("" if verified else "not "), seen == [verified] * 3, seen)
    for client in clients:
        client.close()


def resuming(server, desk):
    first = Socket(server.port, "/api/realtime?resume=1")
    start = first.message("hello")["position"]
    first.ask(type="subscribe", topics=["posts/*", "mine/*"])
    keep = desk.create("r0")
    place = first.message("event")["position"]
    first.close()
    gone = desk.create("r1")
    desk.send("PATCH", "/api/collections/posts/records/" + keep, {"title": "r2"}, desk.root)
    desk.send("DELETE", "/api/collections/posts/records/" + gone, token=desk.root)
    desk.create("not mine", "mine", owner="somebody")
    desk.create("r3")
    second = Socket(server.port, "/api/realtime?resume=1")
    second.message("hello")
    second.send({"type": "subscribe", "id": 1, "topics": ["posts/*", "mine/*"], "after": place})
    told = []
    while True:
        message = second.message()
        if message["type"] == "resumed":
            break
        if message["type"] == "event":
            told.append((message["action"], message["record"]["title"]))
    # The create of a record that is gone was public, and is told as it was.
    check("what was missed, once and in order", told == [("create", "r1"), ("update", "r2"), ("delete", "r1"), ("create", "r3")], told)
    check("how many were missed", message["events"] == 4, message)
    desk.create("r4")
    check("and on with what comes", second.message("event")["record"]["title"] == "r4")
    second.close()
    for wrong in ("nope", "other-1", start.split("-")[0] + "-999999999", ""):
        client = Socket(server.port, "/api/realtime?resume=1")
        client.message("hello")
        client.send({"type": "subscribe", "id": 1, "topics": ["posts/*"], "after": wrong})
        message = client.message("gap", "resumed")
        check("the position %r is a gap" % wrong, message["type"] == "gap" and message["position"].startswith(start.split("-")[0]), message)
        client.close()
    server.kill()
    server.spawn()
    server.wait()
    client = Socket(server.port, "/api/realtime?resume=1")
    client.message("hello")
    client.send({"type": "subscribe", "id": 1, "topics": ["posts/*"], "after": place})
    told = []
    while True:
        message = client.message("event", "resumed", "gap")
        if message["type"] != "event":
            break
        told.append(message["record"]["title"])
    check("the log survives kill -9", message["type"] == "resumed" and told == ["r1", "r2", "r1", "r3", "r4"], (told, message))
    client.close()
    events(server, desk, place)


def two_topics(server, desk):
    """A change that concerns several topics is several events: a client that is cut between them loses none and gets none
    twice, over sockets and over server-sent events, and when its topics come in another order."""
    record = desk.create("start")
    topics = ["posts/*", "posts/" + record, "posts/*?options=" + urllib.parse.quote('{"query":{"fields":"id,title"}}'), "posts"]

    def over_socket(after, count):
        """The next events, and no more than that; with the last one's position."""
        client = Socket(server.port, "/api/realtime?resume=1")
        hello = client.message("hello")
        more = {"after": after} if after else {}
        client.send({"type": "subscribe", "id": 1, "topics": random.sample(topics, len(topics)), **more})
        client.message("ack")
        if not after:
            client.close()
            return [], hello["position"]
        told = []
        while len(told) < count:
            message = client.message("event", "resumed", "gap")
            if message["type"] != "event":
                check("a resume has all", False, (message, told))
                break
            told.append((message["topic"], message["record"]["title"]))
            after = message["position"]
        client.close()
        return told, after

    def over_events(after, count):
        answer = requests.get(server.url + "/api/realtime?resume=1", stream=True, headers={"Last-Event-ID": after}, timeout=10)
        lines = answer.iter_lines(decode_unicode=True)
        first = next_event(lines)
        requests.post(server.url + "/api/realtime", json={"clientId": json.loads(first["data"])["clientId"], "subscriptions": random.sample(topics, len(topics))}, timeout=10)
        told = []
        while len(told) < count:
            event = next_event(lines)
            if event["event"].startswith("ROOST_"):
                check("a resume has all", False, (event, told))
                break
            told.append((event["event"], json.loads(event["data"])["record"]["title"]))
            after = event["id"]
        answer.close()
        return told, after
    _, start = over_socket(None, 0)
    titles = ["u1", "u2", "u3"]
    # One that listens all the time says what the order is.
    live = Socket(server.port, "/api/realtime?resume=1")
    live.message("hello")
    live.ask(type="subscribe", topics=topics)
    for title in titles:
        desk.send("PATCH", "/api/collections/posts/records/" + record, {"title": title}, desk.root)
    seen = [live.message("event") for _ in range(len(topics) * len(titles))]
    expected = [(event["topic"], event["record"]["title"]) for event in seen]
    check("each topic of each change, in order", sorted(expected) == sorted((topic, title) for topic in topics for title in titles)
          and [title for _, title in expected] == [title for title in titles for _ in topics], expected)
    check("each event has a position of its own", len({event["position"] for event in seen}) == len(seen), seen)
    live.close()
    for way in (over_socket, over_events):
        for step in (1, 2, 3, 5):
            told, place = [], start
            while len(told) < len(expected):
                new, place = way(place, min(step, len(expected) - len(told)))
                told += new
                if not new:
                    break
            check("%s, cut after every %d events" % (way.__name__, step), told == expected, told)
    # The live events of a client that has just caught up follow on what it was sent.
    client = Socket(server.port, "/api/realtime?resume=1")
    client.message("hello")
    client.send({"type": "subscribe", "id": 1, "topics": topics, "after": seen[5]["position"]})
    desk.send("PATCH", "/api/collections/posts/records/" + record, {"title": "u4"}, desk.root)
    told = []
    while len(told) < len(expected) - 6 + len(topics):
        message = client.message("event", "resumed")
        if message["type"] == "event":
            told.append((message["topic"], message["record"]["title"]))
    order = [topic for topic, _ in expected[:len(topics)]]
    check("and on with what comes, from the middle of a change", told == expected[6:] + [(topic, "u4") for topic in order], told)
    check("a place for topics of before is refused", client.ask(type="subscribe", topics=["tags/*"], after=start)["status"] == 400)
    client.close()
    for wrong in (".", "x", "1.2", "g", "-1", "0123456789abcdef0"):
        client = Socket(server.port, "/api/realtime?resume=1")
        client.message("hello")
        client.send({"type": "subscribe", "id": 1, "topics": topics, "after": start.split(".")[0] + "." + wrong})
        check("the position with .%s is a gap" % wrong, client.message("gap", "resumed")["type"] == "gap")
        client.close()


def next_event(lines):
    found = {}
    for line in lines:
        if not line:
            return found
        name, _, value = line.partition(":")
        found[name] = value


def events(server, desk, place):
    """Resuming over server-sent events."""
    def connect(headers):
        answer = requests.get(server.url + "/api/realtime", stream=True, headers=headers, timeout=10)
        return answer, answer.iter_lines(decode_unicode=True)

    event = next_event
    answer, lines = connect({"Last-Event-ID": place})
    first = event(lines)
    check("the first id is where the client was", first["id"] == place and first["event"] == "PB_CONNECT", first)
    done = requests.post(server.url + "/api/realtime", json={"clientId": json.loads(first["data"])["clientId"], "subscriptions": ["posts/*"]}, timeout=10)
    check("subscribing while resuming", done.status_code == 204, done.text)
    told = [event(lines) for _ in range(6)]
    titles = [json.loads(one["data"])["record"]["title"] for one in told[:5]]
    check("what was missed over server-sent events", titles == ["r1", "r2", "r1", "r3", "r4"] and told[5]["event"] == "ROOST_RESUMED", told)
    check("ids are positions", all(one["id"].rpartition("-")[0] == place.rpartition("-")[0] for one in told), told)
    answer.close()
    answer, lines = connect({"Last-Event-ID": "A" * 40})
    check("a client id is no position", event(lines)["id"] != "A" * 40)
    answer.close()


def slow(server, desk):
    """A client that does not read is cut, and nobody waits for it."""
    client = Socket(server.port)
    client.message("hello")
    # Many topics, so that a few changes make much to send.
    client.ask(type="subscribe", topics=[{"topic": "posts/*", "options": {"headers": {"n": str(number)}}} for number in range(400)])
    other = Socket(server.port)
    other.message("hello")
    other.ask(type="subscribe", topics=["posts/*"])
    count = 8
    reader_seen = []

    def read():
        try:
            while len(reader_seen) < count:
                reader_seen.append(other.message("event"))
        except (EOFError, OSError):
            pass
    reader = threading.Thread(target=read)
    reader.start()
    for number in range(count):
        desk.create("x" * 4000)
    reader.join(20)
    check("another client gets everything", len(reader_seen) == count, len(reader_seen))
    code, messages = None, 0
    try:
        while True:
            opcode, payload = client.receive()
            if opcode == 8:
                code = struct.unpack(">H", payload[:2])[0]
                break
            messages += 1
    except (EOFError, OSError):
        pass
    check("the slow one is cut with a reason", code == 1013 and messages < 400 * count, (code, messages))
    client.close()
    other.close()


def flood(server):
    """A client that sends without reading is not read from any more; the server lives on."""
    client = Socket(server.port, timeout=2)
    client.message("hello")
    ping = b"".join(client.frame(9, b"x" * 100) for _ in range(1000))
    try:
        for _ in range(500):
            client.socket.sendall(ping)
        stopped = False
    except (socket.timeout, OSError):
        stopped = True
    check("a flood is held back", stopped)
    check("and the server answers others", requests.get(server.url + "/api/health", timeout=5).status_code == 200)
    client.close()
    # Topics without end, and messages that do not wait for their answers.
    client = Socket(server.port)
    client.message("hello")
    for type in ("subscribe", "unsubscribe"):
        began = time.monotonic()
        answer = client.ask(type=type, topics=[""] * 1_000_000)
        check("%s without end is refused" % type, answer.get("status") == 400 and time.monotonic() - began < 5, [answer, time.monotonic() - began])
    frames = [client.frame(1, json.dumps({"type": "subscribe" if number % 2 else "unsubscribe", "id": number, "topics": ["topic %d" % topic for topic in range(900)]}).encode())
              for number in range(600)]
    sending = threading.Thread(target=lambda: client.socket.sendall(b"".join(frames)))
    sending.start()
    answers = [client.message("ack", "error") for _ in frames]
    sending.join()
    check("each of many messages is answered", sorted(answer["id"] for answer in answers) == list(range(600)))
    check("by being carried out or refused", {answer.get("status", 200) for answer in answers} <= {200, 429}, answers[-1])
    check("and the next one is carried out", client.ask(type="subscribe", topics=["posts/*"])["type"] == "ack")
    client.close()


def javascript(server, desk):
    """The client in clients/js, where there is a node to run it."""
    node = shutil.which("node")
    if not node:
        print("The JavaScript client was not tried: there is no node.")
        return
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "jsclient.mjs")
    done = subprocess.run([node, script, server.url, desk.root], capture_output=True, text=True, timeout=60)
    try:
        found = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        found = {"crashed": done.stdout + done.stderr}
    for name in ("live", "picked", "resumed", "once", "auth", "settings", "error", "left"):
        check("the JavaScript client: " + name, found.get(name) is True, found)


PYTHON_CLIENT = """
import os, sys, time
from pocketbase import PocketBase
seen = []
def told(event):
    if event.record.title == "by python":
        seen.append(event.action + " " + event.record.title)
    else:
        print("live", flush=True)
PocketBase(sys.argv[1]).collection("posts").subscribe(told)
deadline = time.monotonic() + 8
while len(seen) < 2 and time.monotonic() < deadline:
    time.sleep(0.01)
print(seen, flush=True)
os._exit(0)
"""


def python_client(server, desk):
    """PocketBase's client for Python. It begins to listen for PB_CONNECT after it has connected and may miss it; then it
    waits for ever, so that it may try again."""
    expected = str(["create by python", "delete by python"])
    for _ in range(4):
        child = subprocess.Popen([sys.executable, "-c", PYTHON_CLIENT, server.url], stdout=subprocess.PIPE, text=True)
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(child.stdout), daemon=True)
        reader.start()
        # It connects on a thread of its own and does not say when.
        deadline = time.monotonic() + 5
        while not lines and time.monotonic() < deadline:
            desk.create("probe")
            time.sleep(0.2)
        record = desk.create("by python")
        desk.send("DELETE", "/api/collections/posts/records/" + record, token=desk.root)
        reader.join(20)
        child.wait(5)
        if lines and lines[-1].strip() == expected or "live\n" in lines:
            break
    check("PocketBase's Python client", bool(lines) and lines[-1].strip() == expected, lines)


def waiting(roost):
    """What ends by the clock, with shorter waits: 2 seconds without an event, 5 in all, 1 without a byte of a socket's."""
    with tempfile.TemporaryDirectory() as home:
        server = Server(roost, home, "roost")
        os.environ.update(WAITS)
        try:
            server.upsert_superuser()
            server.spawn()
            server.wait()
            desk = Desk(server)
            desk.build()
            ends = {}

            def listen(name, query, topics):
                began, names = time.monotonic(), []
                answer = requests.get(server.url + "/api/realtime" + query, stream=True, timeout=20)
                lines = answer.iter_lines(decode_unicode=True)
                first = next_event(lines)
                if topics:
                    requests.post(server.url + "/api/realtime", json={"clientId": json.loads(first["data"])["clientId"], "subscriptions": topics}, timeout=10)
                try:
                    while True:
                        event = next_event(lines)
                        if not event:
                            break
                        names.append(event["event"])
                    ends[name] = (time.monotonic() - began, names)
                except requests.RequestException as error:
                    ends[name] = (0, [repr(error)])

            def listen_on_socket(name, answers):
                client = Socket(server.port, timeout=20)
                client.message("hello")
                began, pings = time.monotonic(), 0
                try:
                    while time.monotonic() - began < 5:
                        opcode, _ = client.receive()
                        if opcode == 9:
                            pings += 1
                            if answers:
                                client.send_raw(client.frame(10))
                            elif pings == 1:
                                ends[name + " is asked"] = time.monotonic() - began
                except (EOFError, OSError):
                    pass
                ends[name] = (time.monotonic() - began, pings)
                client.close()
            runs = [(listen, "silent", "", None), (listen, "resuming", "?resume=1", None), (listen, "late", "", ["mine/*"]), (listen, "busy", "", ["posts/*"]),
                    (listen_on_socket, "deaf", False), (listen_on_socket, "lively", True)]
            threads = [threading.Thread(target=run[0], args=run[1:]) for run in runs]
            for thread in threads:
                thread.start()
            for number in range(12):
                time.sleep(0.5)
                desk.create("tick")
                if number == 0:
                    desk.send("PATCH", "/api/collections/mine", {"listRule": ""}, desk.root)
                    desk.create("late", "mine")
            for thread in threads:
                thread.join(30)
            # The clock is looked at once a second.
            near = lambda found, wanted: found is not None and wanted - 1.1 < found < wanted + 2.5
            check("without an event the stream ends", near(ends["silent"][0], 2) and ends["silent"][1] == [], ends)
            check("who resumes is told to connect again", near(ends["resuming"][0], 2) and ends["resuming"][1] == ["ROOST_RECONNECT"], ends)
            check("an event makes the time begin anew", near(ends["late"][0], 2.5) and ends["late"][1] == ["mine/*"], ends)
            check("no stream is older than the limit", near(ends["busy"][0], 5) and len(ends["busy"][1]) >= 8, ends)
            check("a silent socket is asked", near(ends.get("deaf is asked"), 1), ends)
            check("and cut when it does not answer", near(ends["deaf"][0], 2) and ends["deaf"][1] == 1, ends)
            check("one that answers stays", ends["lively"][0] >= 5 and ends["lively"][1] >= 2, ends)
        finally:
            for name in WAITS:
                os.environ.pop(name, None)
            server.kill()


WAITS = {"ROOST_TEST_REALTIME_IDLE": "2", "ROOST_TEST_REALTIME_AGE": "5", "ROOST_TEST_WEBSOCKET_SILENCE": "1"}


def stopping(server):
    client, events = Socket(server.port), requests.get(server.url + "/api/realtime", stream=True, timeout=10)
    client.message("hello")
    lines = events.iter_lines(decode_unicode=True)
    next(lines)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    check("a stopping server says so to sockets", client.closing() == 1012)
    try:
        rest = list(lines)
        ended = True
    except requests.exceptions.ChunkedEncodingError:
        ended = False
    check("and ends event streams properly", ended)
    server.process.wait(20)
    check("and stops soon", time.monotonic() - began < 5, time.monotonic() - began)


def run(roost):
    with tempfile.TemporaryDirectory() as home:
        server = Server(roost, home, "roost")
        try:
            server.upsert_superuser()
            server.spawn()
            server.wait()
            desk = Desk(server)
            desk.build()
            for step in (handshakes, violations, flood):
                step(server)
            for step in (compression, protocol, identities, resuming, two_topics, slow, javascript, python_client):
                step(server, desk)
            stopping(server)
        finally:
            server.kill()
    waiting(roost)
    return results
