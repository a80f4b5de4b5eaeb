"""An S3 service of our own for tests: it checks signatures with botocore's, keeps objects in memory, and misbehaves as
it is told: answers slowly, wrongly or with 503, cuts connections, and forgets.

    service = FaultyS3()
    service.fault("GET", "cut", times=1)     # the next GET ends in the middle of its body
"""

import hashlib
import http.server
import random
import re
import socket
import struct
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY, SECRET, REGION = "test-key", "test/secret+key", "eu-test-1"


class Checker(S3SigV4Auth):
    """botocore's signature of a request that was signed already."""

    def __init__(self, region):
        super().__init__(Credentials(KEY, SECRET), "s3", region)

    def signature_of(self, method, url, headers, signed):
        request = AWSRequest(method=method, url=url, headers={name: headers[name] for name in signed if name in headers})
        request.context["timestamp"] = headers["x-amz-date"]
        request.context["payload_signing_enabled"] = True
        canonical = "\n".join([
            method, urllib.parse.urlsplit(url).path, self.canonical_query_string(request),
            "\n".join("%s:%s" % (name, " ".join(headers[name].split())) for name in signed) + "\n", ";".join(signed),
            headers["x-amz-content-sha256"]])
        return self.signature(self.string_to_sign(request, canonical), request)


class FaultyS3:
    def __init__(self):
        self.objects = {}   # key -> (bytes, headers, modified)
        self.uploads = {}   # id -> (key, headers, {number: bytes})
        self.faults = []    # [method, pattern of the target, action, how often]
        self.log = []       # (method, target, status)
        self.wrong = []     # signatures and hashes that do not fit
        self.lock = threading.Lock()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except (OSError, ValueError):
                    self.close_connection = True

            def do(self):
                service.answer(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 100

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def settings(self, **more):
        return {"enabled": True, "bucket": "bucket", "region": REGION, "endpoint": self.url, "accessKey": KEY,
                "secret": SECRET, "forcePathStyle": True, **more}

    def fault(self, method, action, times=1, target=""):
        with self.lock:
            self.faults.append([method, target, action, times])

    def calm(self):
        with self.lock:
            self.faults = []

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def count(self, method, target=""):
        return sum(1 for m, t, _ in self.log if m == method and re.search(target, t))

    # What follows runs on the threads of the server.

    def next_fault(self, method, target):
        with self.lock:
            for fault in self.faults:
                if fault[0] in (method, "*") and re.search(fault[1], target) and fault[3] > 0:
                    fault[3] -= 1
                    return fault[2]
        return None

    def check(self, handler, body):
        headers = {name.lower(): value for name, value in handler.headers.items()}
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=%s/(\d{8})/([\w-]+)/s3/aws4_request, SignedHeaders=([\w;-]+), Signature=(\w{64})" % KEY,
                             headers.get("authorization", ""))
        if not found:
            return "no signature: %r" % headers.get("authorization")
        signed = found[3].split(";")
        for name in headers:
            if (name.startswith("x-amz-") or name in ("host", "content-type")) and name not in signed:
                return name + " is not signed"
        url = "http://%s%s" % (headers["host"], handler.path)
        if Checker(found[2]).signature_of(handler.command, url, headers, signed) != found[4] or found[2] != REGION:
            return "a wrong signature of %s %s" % (handler.command, handler.path)
        if headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
            return "a wrong hash of the body of %s %s" % (handler.command, handler.path)
        return None

    def answer(self, handler):
        method, target = handler.command, handler.path
        action = self.next_fault(method, target)
        length = int(handler.headers.get("Content-Length") or 0)
        if action == "reset early":
            return self.reset(handler)
        body = b""
        while len(body) < length:
            piece = handler.rfile.read(min(1 << 20, length - len(body)))
            if not piece:
                return
            body += piece
        if len(body) != length:
            handler.close_connection = True
            return
        problem = self.check(handler, body)
        if problem:
            self.wrong.append(problem)
            return self.refuse(handler, 403, "SignatureDoesNotMatch", problem)
        if action == "slow":
            time.sleep(1.5)
        elif action == "reset":
            return self.reset(handler)
        elif action == "503":
            return self.refuse(handler, 503, "SlowDown", "Please reduce your request rate.")
        elif action == "500 html":
            return self.send(handler, 500, b"<html><body>oops<br></body></html>", {"Content-Type": "text/html"})
        elif action == "400 timeout":
            return self.refuse(handler, 400, "RequestTimeout", "Too slow.")
        elif action == "403":
            return self.refuse(handler, 403, "InvalidAccessKeyId", "The key is not known.")
        elif action == "garbage":
            return self.send(handler, 200, b"\x00\xff<<<not xml at all", {})
        elif action == "redirect":
            return self.send(handler, 307, b"", {"Location": "http://127.0.0.1:1/"})
        elif action == "lost answer":
            self.serve(handler, method, body, None, quiet=True)
            return self.reset(handler)
        self.serve(handler, method, body, action)

    def reset(self, handler):
        self.log.append((handler.command, handler.path, 0))
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        handler.close_connection = True

    def refuse(self, handler, status, code, message):
        text = "<?xml version='1.0'?><Error><Code>%s</Code><Message>%s</Message></Error>" % (code, escape(message))
        self.send(handler, status, text.encode(), {"Content-Type": "application/xml"})

    def send(self, handler, status, body, headers, cut=None, length=None):
        self.log.append((handler.command, handler.path, status))
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        if handler.command == "HEAD":
            return
        if cut is not None:
            handler.wfile.write(body[:cut])
            handler.wfile.flush()
            time.sleep(0.05)
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            return
        handler.wfile.write(body)

    def serve(self, handler, method, body, action, quiet=False):
        def send(*arguments, **named):
            if not quiet:
                self.send(handler, *arguments, **named)

        parts = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        path = urllib.parse.unquote(parts.path).lstrip("/")
        if not handler.headers["Host"].startswith("bucket."):
            bucket, _, path = path.partition("/")
            if bucket != "bucket":
                return self.refuse(handler, 404, "NoSuchBucket", "There is no such bucket.")
        kept = {name: value for name, value in handler.headers.items() if name.lower() in ("content-type",) or name.lower().startswith("x-amz-meta-")}
        with self.lock:
            if method == "GET" and not path:
                return send(200, self.uploading(query) if "uploads" in query else self.listed(query, action), {"Content-Type": "application/xml"})
            if method == "POST" and "uploads" in query:
                upload = "upload-%d" % random.randrange(1 << 60)
                self.uploads[upload] = (path, kept, {})
                return send(200, ("<InitiateMultipartUploadResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><UploadId>%s</UploadId></InitiateMultipartUploadResult>" % upload).encode(), {})
            if "uploadId" in query:
                return self.multipart(handler, method, query, path, body, action, send)
            if method == "PUT":
                self.objects[path] = (body, kept, time.time())
                return send(200, b"", {"ETag": self.tag(body)})
            if method == "DELETE":
                self.objects.pop(path, None)
                return send(204, b"", {})
            if path not in self.objects:
                return None if quiet else self.refuse(handler, 404, "NoSuchKey", "There is no such key.")
            content, headers, modified = self.objects[path]
        self.get(handler, content, headers, modified, action, send)

    def get(self, handler, content, headers, modified, action, send):
        headers = {**headers, "ETag": self.tag(content), "Last-Modified": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(modified))}
        if handler.headers.get("If-Match") not in (None, headers["ETag"]):
            return self.refuse(handler, 412, "PreconditionFailed", "It has changed.")
        status = 200
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range") or "")
        if found and action != "ignores ranges":
            start, end = int(found[1]), min(int(found[2] or len(content) - 1), len(content) - 1)
            if start >= len(content):
                return self.refuse(handler, 416, "InvalidRange", "Not satisfiable.")
            headers["Content-Range"] = "bytes %d-%d/%d" % (start if action != "wrong range" else start + 1, end, len(content))
            content, status = content[start:end + 1], 206
        if action == "cut":
            return send(status, content, headers, cut=len(content) // 2)
        if action == "no length" and handler.command == "HEAD":
            handler.send_response(200)
            handler.end_headers()
            return None
        if action == "stall":
            handler.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(content[:1000])
            time.sleep(3)
            handler.close_connection = True
            return None
        send(status, content, headers)

    def multipart(self, handler, method, query, path, body, action, send):
        upload = query["uploadId"]
        if upload not in self.uploads:
            return self.refuse(handler, 404, "NoSuchUpload", "There is no such upload.")
        key, kept, parts = self.uploads[upload]
        if method == "DELETE":
            del self.uploads[upload]
            return send(204, b"", {})
        if method == "PUT":
            parts[int(query["partNumber"])] = body
            return send(200, b"", {"ETag": self.tag(body)} if action != "no tag" else {})
        if action == "error under 200":
            return send(200, b"<Error><Code>InternalError</Code><Message>We failed.</Message></Error>", {})
        numbers = [int(n) for n in re.findall(rb"<PartNumber>(\d+)</PartNumber>", body)]
        tags = [t.decode() for t in re.findall(rb"<ETag>(.*?)</ETag>", body)]
        if numbers != sorted(parts) or [t.replace("&quot;", '"') for t in tags] != [self.tag(parts[n]) for n in numbers]:
            return self.refuse(handler, 400, "InvalidPart", "Parts are missing.")
        self.objects[key] = (b"".join(parts[n] for n in numbers), kept, time.time())
        del self.uploads[upload]
        return send(200, b"<CompleteMultipartUploadResult><Key>x</Key></CompleteMultipartUploadResult>", {})

    def tag(self, content):
        return '"%s"' % hashlib.md5(content).hexdigest()

    def listed(self, query, action):
        keys = sorted(key for key in self.objects if key.startswith(query.get("prefix", "")) and key > query.get("continuation-token", ""))
        most = min(int(query.get("max-keys", 1000)), 3)
        page, more = keys[:most], len(keys) > most
        items = "".join("<Contents><Key>%s</Key><Size>%d</Size><LastModified>2024-01-02T03:04:05.678Z</LastModified><ETag>%s</ETag></Contents>"
                        % (escape(key), len(self.objects[key][0]), escape(self.tag(self.objects[key][0]))) for key in page)
        token = "<NextContinuationToken>%s</NextContinuationToken>" % escape(page[-1]) if more else ""
        return ("<?xml version='1.0'?><!-- a page --><ListBucketResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><IsTruncated>%s</IsTruncated>%s%s</ListBucketResult>"
                % (str(more).lower(), token, items)).encode()

    def uploading(self, query):
        found = "".join("<Upload><Key>%s</Key><UploadId>%s</UploadId></Upload>" % (escape(key), upload)
                        for upload, (key, _, _) in self.uploads.items() if key.startswith(query.get("prefix", "")))
        return ("<ListMultipartUploadsResult>%s</ListMultipartUploadsResult>" % found).encode()
