"""A package as scripts/package makes it: unpacked elsewhere, with nothing of the toolchain, it serves with all its plugins.

    python3 Tests/Package/run.py dist/roost-0.1.0.tar.gz
"""

import http.client
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib

EMAIL, PASSWORD = "root@example.com", "1234567890"
passed = failed = 0


def check(what, holds, detail=""):
    global passed, failed
    if holds:
        passed += 1
    else:
        failed += 1
        print("FAIL %s: %s" % (what, detail), flush=True)


def picture(width, height):
    """A grey PNG."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes(100 for _ in range(width)) for _ in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def main():
    work = tempfile.mkdtemp(prefix="roost-package-")
    process = None
    # What a plain machine has set, and no path to a toolchain.
    environment = {"PATH": "/usr/bin:/bin", "HOME": work, "LANG": "C.UTF-8"}
    try:
        with tarfile.open(sys.argv[1]) as archive:
            archive.extractall(work)
        folder = os.path.join(work, os.listdir(work)[0])
        program = os.path.join(folder, "roost")

        def run(*words):
            return subprocess.run([program, *words], capture_output=True, text=True, env=environment, cwd="/", timeout=60)
        done = run("superuser", "upsert", EMAIL, PASSWORD)
        check("a command", done.returncode == 0 and os.path.exists(os.path.join(folder, "pb_data", "data.db")), done)
        plugins = json.loads(run("plugin", "list", "--json").stdout)["plugins"]
        wrong = [plugin for plugin in plugins if plugin["state"] not in ("ready", "loaded")]
        check("all plugins are there", len(plugins) == len(os.listdir(os.path.join(folder, "plugins"))) and not wrong, plugins)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen([program, "serve", "--http", "127.0.0.1:%d" % port], env=environment, cwd="/",
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        token = None

        def send(method, path, body=None, kind="application/json"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            headers = {"Content-Type": kind}
            if token:
                headers["Authorization"] = token
            connection.request(method, path, body if body is None or isinstance(body, bytes) else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            return answer.status, content
        until = time.monotonic() + 20
        while time.monotonic() < until and process.poll() is None:
            try:
                if send("GET", "/api/health")[0] == 200:
                    break
            except OSError:
                time.sleep(0.05)
        token = json.loads(send("POST", "/api/collections/_superusers/auth-with-password",
                                {"identity": EMAIL, "password": PASSWORD})[1])["token"]
        status, content = send("POST", "/api/collections", {"name": "docs", "type": "base", "viewRule": "", "fields": [
            {"name": "title", "type": "text"}, {"name": "picture", "type": "file", "thumbs": ["10x10"]}]})
        check("a collection", status == 200, content)
        image = picture(64, 48)
        body = (b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n' + image
                + b"\r\n--b--\r\n")
        status, content = send("POST", "/api/collections/docs/records", body, "multipart/form-data; boundary=b")
        check("an upload", status == 200, content)
        record = json.loads(content)
        path = "/api/files/docs/%s/%s" % (record["id"], record["picture"])
        check("a download", send("GET", path) == (200, image))
        status, content = send("GET", path + "?thumb=10x10")
        check("a thumb", status == 200 and struct.unpack(">II", content[16:24]) == (10, 10), (status, content[:40]))
        status, content = send("POST", "/api/backups", {"name": "a.zip"})
        check("a backup", status == 204, content)
        with open("/proc/%d/maps" % process.pid) as file:
            libraries = {line.split()[-1] for line in file if ".so" in line}
        foreign = [name for name in libraries if not name.startswith(folder + "/") and ("swift" in name or not name.startswith(("/usr/lib/", "/lib/")))]
        check("nothing is taken from a toolchain", not foreign, foreign)
        check("doctor finds no error", run("doctor").returncode == 0, run("doctor").stdout)
        process.terminate()
        check("the server ends well", process.wait(20) == 0, process.stdout.read())
    finally:
        if process and process.poll() is None:
            process.kill()
            process.wait()
        shutil.rmtree(work, ignore_errors=True)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
