"""TLS: certificates that cannot be used, requests, streams and files over it, redirects, and renewal while the server runs.

    python Tests/Compatibility/httpstest.py      (the programs are named by ROOST_BIN and POCKETBASE_BIN)
"""

import base64
import concurrent.futures
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import warnings

from server import SUPERUSER_EMAIL, SUPERUSER_PASSWORD, find_pocketbase, find_roost, free_port

ROOST, POCKETBASE = os.path.abspath(find_roost()), os.path.abspath(find_pocketbase())
# The old version is there to be refused.
warnings.simplefilter("ignore", DeprecationWarning)
passed = failed = 0


def check(what, holds, detail=""):
    global passed, failed
    if holds:
        passed += 1
    else:
        failed += 1
        print("FAIL %s: %s" % (what, detail), flush=True)


class Authority:
    """Certificates of an authority of our own, made by the openssl command."""

    def __init__(self, folder):
        self.folder = folder
        self.config = os.path.join(folder, "ca.cnf")
        with open(self.config, "w") as file:
            file.write(
                "[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index\nserial=%s/serial\nnew_certs_dir=%s\ndefault_md=sha256\n"
                "policy=p\nunique_subject=no\ncopy_extensions=copy\n[p]\ncommonName=supplied\n" % (folder, folder, folder))
        open(os.path.join(folder, "index"), "w").close()
        with open(os.path.join(folder, "serial"), "w") as file:
            file.write("1000\n")
        self.root = os.path.join(folder, "root.pem")
        self.openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
            "/CN=Test authority", "-keyout", folder + "/root.key", "-out", self.root)

    def openssl(self, *words):
        done = subprocess.run(["openssl", *words], capture_output=True, text=True, cwd=self.folder)
        if done.returncode:
            raise SystemExit("openssl %s: %s" % (" ".join(words), done.stderr))

    def issue(self, name, start="20200101000000Z", end="20490101000000Z", hosts="DNS:localhost,DNS:roost.test,IP:127.0.0.1"):
        """A certificate and its key, as two files."""
        key, request, certificate = (os.path.join(self.folder, name + suffix) for suffix in (".key", ".csr", ".pem"))
        self.openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=" + name,
            "-addext", "subjectAltName=" + hosts, "-keyout", key, "-out", request)
        self.openssl(
            "ca", "-batch", "-notext", "-config", self.config, "-cert", self.root, "-keyfile", self.folder + "/root.key",
            "-in", request, "-out", certificate, "-startdate", start, "-enddate", end)
        return certificate, key


class Running:
    """A server with TLS."""

    def __init__(self, program, home, *flags, wait=True):
        self.data, self.home = os.path.join(home, "pb_data"), home
        self.plain, self.port = free_port(), free_port()
        self.output = os.path.join(home, "output.log")
        with open(self.output, "ab") as log:
            self.process = subprocess.Popen(
                [program, "serve", "--dir", self.data, "--http", "127.0.0.1:%d" % self.plain,
                 "--https", "127.0.0.1:%d" % self.port, *flags], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=home)
        until = time.monotonic() + 20
        while wait and time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.plain), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        if wait:
            raise SystemExit("the server did not start: " + self.log())

    def log(self):
        with open(self.output) as file:
            return file.read()

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(20)

    def redirect(self, method, path, host=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.plain, timeout=5)
        connection.request(method, path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, answer.getheader("Location"), body.strip() if answer.status >= 400 else ""


def trusting(authority, **settings):
    context = ssl.create_default_context(cafile=authority.root)
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def request(running, context, method, path, body=None, headers=None, host="localhost"):
    connection = http.client.HTTPSConnection(host, running.port, timeout=20, context=context)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, answer


def refusals(authority, work):
    """What is no certificate for this server keeps it from starting, and is told."""
    good, key = authority.issue("good")
    _, other = authority.issue("other")
    expired, expired_key = authority.issue("expired", end="20210304000000Z")
    early, early_key = authority.issue("early", start="20480101000000Z")
    garbage = os.path.join(work, "garbage")
    with open(garbage, "w") as file:
        file.write("no PEM\n")
    locked = os.path.join(work, "locked.key")
    authority.openssl("ec", "-in", key, "-aes128", "-passout", "pass:secret", "-out", locked)
    home = os.path.join(work, "refusals")
    os.mkdir(home)

    def refused(what, words, *flags):
        done = subprocess.run(
            [ROOST, "serve", "--dir", os.path.join(home, "pb_data"), "--http", "127.0.0.1:%d" % free_port(), *flags],
            capture_output=True, text=True, timeout=20, cwd=home)
        check(what, done.returncode == 1 and words in done.stderr, (done.returncode, done.stdout, done.stderr))

    https = ("--https", "127.0.0.1:%d" % free_port())
    refused("no certificate", "certbot", *https)
    refused("a domain and no certificate", "does not get certificates from an authority", "roost.test", *https)
    refused("a certificate that is not there", "No such file", *https, "--cert", work + "/none", "--key", key)
    refused("a folder for a certificate", "cannot be read", *https, "--cert", work, "--key", key)
    refused("a key that is not there", "No such file", *https, "--cert", good, "--key", work + "/none")
    refused("something else for a certificate", "no certificate in PEM form", *https, "--cert", garbage, "--key", key)
    refused("something else for a key", "no private key in PEM form", *https, "--cert", good, "--key", good)
    refused("an encrypted key", "encrypted", *https, "--cert", good, "--key", locked)
    refused("another certificate's key", "does not belong to", *https, "--cert", good, "--key", other)
    refused("an expired certificate", "has expired on 2021-03-04", *https, "--cert", expired, "--key", expired_key)
    refused("a certificate of the future", "not valid before 2048-01-01", *https, "--cert", early, "--key", early_key)
    refused("a domain that the certificate is not for", "is not for example.com", "example.com", *https, "--cert", good, "--key", key)
    refused("a certificate without its key", "go together", *https, "--cert", good)
    refused("a certificate and no --https", "are for --https", "--cert", good, "--key", key)
    taken = socket.create_server(("127.0.0.1", 0))
    refused("a taken port for the redirects", "where plain requests are sent on", "--cert", good, "--key", key, *https,
            "--http", "127.0.0.1:%d" % taken.getsockname()[1])
    taken.close()


def redirects(running, work):
    home = os.path.join(work, "pocketbase")
    os.mkdir(home)
    subprocess.run([POCKETBASE, "superuser", "upsert", SUPERUSER_EMAIL, SUPERUSER_PASSWORD, "--dir", home + "/pb_data"],
                   capture_output=True, check=True)
    oracle = Running(POCKETBASE, home)
    try:
        for method, path, host in (
                ("GET", "/a/b?c=d%20e", "localhost"), ("HEAD", "/", "localhost:80"), ("GET", "/x", "example.com:8080"),
                ("POST", "/api/batch", "localhost"), ("DELETE", "/x", None)):
            ours, theirs = (server.redirect(method, path, host) for server in (running, oracle))
            # PocketBase takes it that the encrypted listener is at 443.
            name = (host or "127.0.0.1").split(":")[0]
            check("%s %s is sent on like PocketBase does" % (method, path), ours[0] == theirs[0] and ours[2] == theirs[2], (ours, theirs))
            wanted = "https://%s:%d%s" % (name, running.port, path) if ours[0] == 302 else None
            check("%s %s is sent on to the port" % (method, path), ours[1] == wanted, (ours, wanted))
    finally:
        oracle.stop()
    status, location, _ = running.redirect("GET", "//evil.example/x", "localhost")
    check("a path is not taken for a host", location is None or location.startswith(("https://localhost:", "/")), (status, location))
    status, location, _ = running.redirect("GET", "/x", "a@evil.example")
    check("a host that is none is refused", status == 400 and location is None, (status, location))


def protocol(running, authority):
    context = trusting(authority)
    status, content, _ = request(running, context, "GET", "/api/health")
    check("a request", status == 200 and b"healthy" in content, (status, content))
    for version, works in ((ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_1, False)):
        bounded = trusting(authority)
        bounded.set_ciphers("DEFAULT:@SECLEVEL=0")
        bounded.minimum_version = bounded.maximum_version = version
        try:
            done = request(running, bounded, "GET", "/api/health")[0] == 200
        except (OSError, ssl.SSLError):
            done = False
        check("%s %s" % (version.name, "works" if works else "is refused"), done == works)
    for offered, wanted in ((["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), ([], None)):
        negotiating = trusting(authority)
        if offered:
            negotiating.set_alpn_protocols(offered)
        with negotiating.wrap_socket(socket.create_connection(("127.0.0.1", running.port)), server_hostname="localhost") as link:
            check("ALPN %s" % offered, link.selected_alpn_protocol() == wanted, link.selected_alpn_protocol())
    # Plain bytes at the encrypted port get nothing that HTTP would say.
    with socket.create_connection(("127.0.0.1", running.port), 5) as plain:
        plain.sendall(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        try:
            while piece := plain.recv(4096):
                answer += piece
        except OSError:
            pass
        check("no plain answers at the encrypted port", b"HTTP" not in answer and b"health" not in answer, answer)
    # The end of an answer is the client's to see: with a close_notify, or it could have been cut by anybody.
    link = context.wrap_socket(
        socket.create_connection(("127.0.0.1", running.port), 5), server_hostname="localhost", suppress_ragged_eofs=False)
    link.sendall(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = b""
    try:
        while piece := link.recv(4096):
            answer += piece
        ended = True
    except ssl.SSLError as error:
        ended = error
    link.close()
    check("a connection ends properly", ended is True and answer.startswith(b"HTTP/1.1 200"), (ended, answer[:80]))
    # Two requests in one record, the answers in order.
    with context.wrap_socket(socket.create_connection(("127.0.0.1", running.port), 5), server_hostname="localhost") as link:
        link.sendall(b"GET /api/health HTTP/1.1\r\nHost: a\r\n\r\nGET /api/nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := link.recv(4096):
            answer += piece
        check("pipelined requests", answer.count(b"HTTP/1.1 ") == 2 and b"404" in answer, answer)
    # Clients that never finish their handshake keep nobody waiting.
    silent = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(50)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: request(running, context, "GET", "/api/health")[0], range(100)))
    check("requests beside silent clients", statuses == [200] * 100, statuses)
    for link in silent:
        link.close()


def content(running, authority):
    """Bodies in both directions, files that would be sent by the kernel, streams and sockets."""
    context = trusting(authority)
    as_json = {"Content-Type": "application/json"}
    status, body, _ = request(
        running, context, "POST", "/api/collections/_superusers/auth-with-password",
        json.dumps({"identity": SUPERUSER_EMAIL, "password": SUPERUSER_PASSWORD}), as_json)
    token = json.loads(body)["token"]
    headers = dict(as_json, Authorization=token)
    status, body, _ = request(running, context, "POST", "/api/collections", json.dumps({
        "name": "docs", "type": "base", "listRule": "", "viewRule": "", "createRule": "",
        "fields": [{"name": "file", "type": "file", "maxSize": 1 << 25}, {"name": "text", "type": "text"}]}), headers)
    check("a collection", status == 200, body)
    data = os.urandom(5_000_000)
    boundary = "----https"
    form = ("--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n" % boundary).encode() + data + \
        ("\r\n--%s--\r\n" % boundary).encode()
    status, body, _ = request(
        running, context, "POST", "/api/collections/docs/records", form, {"Content-Type": "multipart/form-data; boundary=" + boundary})
    check("an upload", status == 200, body[:200])
    record = json.loads(body)
    path = "/api/files/docs/%s/%s" % (record["id"], record["file"])
    status, body, _ = request(running, context, "GET", path)
    check("a download", status == 200 and body == data, (status, len(body)))
    status, body, _ = request(running, context, "GET", path, headers={"Range": "bytes=1000000-3999999"})
    check("a range of it", status == 206 and body == data[1000000:4000000], (status, len(body)))
    status, body, _ = request(running, context, "GET", "/big.bin")
    check("a static file", status == 200 and hashlib.sha256(body).digest() == running.static, (status, len(body)))
    check("an authority's question", request(running, context, "GET", "/.well-known/acme-challenge/token")[1] == b"answer")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: request(running, context, "GET", path)[1] == data, range(16)))
    check("downloads at the same time", all(got), got)
    # Server-sent events.
    events = http.client.HTTPSConnection("localhost", running.port, timeout=10, context=context)
    events.request("GET", "/api/realtime")
    stream = events.getresponse()

    def message():
        lines = {}
        while (line := stream.readline().decode().rstrip("\n")) or not lines:
            if ":" in line:
                name, value = line.split(":", 1)
                lines[name] = value.strip()
        return lines
    client = json.loads(message()["data"])["clientId"]
    status, body, _ = request(
        running, context, "POST", "/api/realtime", json.dumps({"clientId": client, "subscriptions": ["docs/*"]}), as_json)
    check("a subscription", status == 204, body)
    request(running, context, "POST", "/api/collections/docs/records", json.dumps({"text": "over TLS"}), as_json)
    event = message()
    check("an event", event.get("event") == "docs/*" and json.loads(event["data"])["record"]["text"] == "over TLS", event)
    events.close()
    # A WebSocket, on a connection that has served a request before.
    with context.wrap_socket(socket.create_connection(("127.0.0.1", running.port), 10), server_hostname="localhost") as link:
        file = link.makefile("rb")
        link.sendall(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        length = 0
        while (line := file.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        file.read(length)
        key = base64.b64encode(os.urandom(16))
        link.sendall(b"GET /api/realtime HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n")
        status = file.readline()
        while file.readline() not in (b"\r\n", b""):
            pass
        check("a WebSocket", b"101" in status, status)
        first, size = file.read(1)[0], file.read(1)[0]
        size = int.from_bytes(file.read(2), "big") if size == 126 else size
        hello = file.read(size)
        check("its first message", first == 0x81 and b"hello" in hello, (first, hello))


def serial(running, authority, context=None):
    with (context or trusting(authority)).wrap_socket(
            socket.create_connection(("127.0.0.1", running.port), 5), server_hostname="localhost") as link:
        return link.getpeercert()["serialNumber"]


def replace(certificate, key, pair):
    for source, target in zip(pair, (certificate, key)):
        shutil.copy(source, target + ".new")
        os.rename(target + ".new", target)


def renewal(running, authority, certificate, key):
    """A renewed certificate is taken while connections go on, and one that cannot be used is not."""
    put = lambda pair: replace(certificate, key, pair)
    first = serial(running, authority)
    kept = http.client.HTTPSConnection("localhost", running.port, timeout=20, context=trusting(authority))
    kept.request("GET", "/api/health")
    kept.getresponse().read()
    put(authority.issue("renewed"))
    running.process.send_signal(signal.SIGHUP)
    until = time.monotonic() + 5
    while serial(running, authority) == first and time.monotonic() < until:
        time.sleep(0.05)
    second = serial(running, authority)
    check("SIGHUP takes a renewed certificate", second != first)
    kept.request("GET", "/api/health")
    check("a connection from before goes on", kept.getresponse().read() != b"")
    kept.close()
    expired = authority.issue("expired2", end="20210304000000Z")
    put(expired)
    running.process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    check("an expired one is not taken", serial(running, authority) == second)
    with open(certificate, "w"):
        pass
    running.process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    check("an empty file is not taken", serial(running, authority) == second)
    put(authority.issue("renewed2"))
    until = time.monotonic() + 15
    while serial(running, authority) == second and time.monotonic() < until:
        time.sleep(0.2)
    check("a renewed one is taken without a signal", serial(running, authority) != second)


def main():
    work = tempfile.mkdtemp(prefix="roost-https-")
    running = None
    try:
        os.mkdir(os.path.join(work, "ca"))
        authority = Authority(os.path.join(work, "ca"))
        refusals(authority, work)
        home = os.path.join(work, "home")
        os.makedirs(os.path.join(home, "pb_public"))
        os.makedirs(os.path.join(home, "pb_data", "_roost_tls"))
        static = os.urandom(3_000_000)
        with open(os.path.join(home, "pb_public", "big.bin"), "wb") as file:
            file.write(static)
        os.makedirs(os.path.join(home, "pb_public", ".well-known", "acme-challenge"))
        with open(os.path.join(home, "pb_public", ".well-known", "acme-challenge", "token"), "w") as file:
            file.write("answer")
        certificate, key = (os.path.join(home, "pb_data", "_roost_tls", name) for name in ("cert.pem", "key.pem"))
        for source, target in zip(authority.issue("server"), (certificate, key)):
            shutil.copy(source, target)
        subprocess.run([ROOST, "superuser", "upsert", SUPERUSER_EMAIL, SUPERUSER_PASSWORD, "--dir", home + "/pb_data"], check=True,
                       capture_output=True)
        running = Running(ROOST, home)
        running.static = hashlib.sha256(static).digest()
        protocol(running, authority)
        content(running, authority)
        redirects(running, work)
        renewal(running, authority, certificate, key)
        check("what went wrong with a renewal stands in the log", "cannot be used" in logged(running, authority))
        check("the first line names the address", "https://127.0.0.1:%d" % running.port in running.log(), running.log())
        check("the server ends well", running.stop() == 0, running.log())
        running = Running(ROOST, home, "roost.test", "--cert", certificate, "--key", key)
        answer = request(running, trusting(authority), "GET", "/x?y=z", headers={"Host": "www.roost.test"})
        check("www leads to the domain", answer[0] == 307 and answer[2].getheader("Location") == "https://roost.test/x?y=z",
              (answer[0], answer[2].getheader("Location")))
        check("other hosts are answered", request(running, trusting(authority), "GET", "/api/health")[0] == 200)
        before = serial(running, authority)
        replace(certificate, key, authority.issue("elsewhere", hosts="DNS:localhost,DNS:other.test"))
        running.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        check("a certificate that is not for the domain is not taken", serial(running, authority) == before)
        check("which stands in the log", "is not for roost.test" in logged(running, authority))
        check("the domain is named", "https://roost.test:%d" % running.port in running.log(), running.log())
    finally:
        if running:
            running.stop(signal.SIGKILL)
        shutil.rmtree(work, ignore_errors=True)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


def logged(running, authority):
    """The messages of the log, once they are written."""
    context = trusting(authority)
    status, body, _ = request(
        running, context, "POST", "/api/collections/_superusers/auth-with-password",
        json.dumps({"identity": SUPERUSER_EMAIL, "password": SUPERUSER_PASSWORD}), {"Content-Type": "application/json"})
    token = json.loads(body)["token"]
    until = time.monotonic() + 6
    while time.monotonic() < until:
        body = request(running, context, "GET", "/api/logs?filter=level%3E0&perPage=100", headers={"Authorization": token})[1].decode()
        if "cannot be used" in body:
            break
        time.sleep(0.3)
    return body


if __name__ == "__main__":
    main()
