"""Starts and stops the server as an operator does, on folders that are good, shared, damaged or not writable.

    python Tests/Lifecycle/run.py        (the program is named by ROOST_BIN)
"""

import http.client
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOST = os.environ["ROOST_BIN"]
passed = failed = 0


def check(what, holds, detail=""):
    global passed, failed
    if holds:
        passed += 1
    else:
        failed += 1
        print("FAIL %s %s" % (what, detail))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(folder, port, limit=None):
    def limits():
        if limit:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [ROOST, "serve", "--dir", folder, "--http", "127.0.0.1:%d" % port],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=limits)


def request(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def wait_ready(port, process):
    for _ in range(100):
        if process.poll() is not None:
            return False
        try:
            return request(port, "GET", "/api/health")[0] == 200
        except OSError:
            time.sleep(0.05)
    return False


def end(process, number=signal.SIGTERM):
    process.send_signal(number)
    try:
        return process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def sharing(work):
    folder, port = os.path.join(work, "shared"), free_port()
    first = start(folder, port)
    try:
        check("a new folder is served", wait_ready(port, first))
        second = start(folder, free_port())
        words = second.communicate(timeout=15)[0]
        check("a second server on the folder is refused", second.returncode == 1 and "in use" in words, words)
        command = subprocess.run(
            [ROOST, "superuser", "upsert", "a@example.com", "1234567890", "--dir", folder], capture_output=True, text=True)
        check("a command works beside the server", command.returncode == 0, command.stderr)
        status, _ = request(
            port, "POST", "/api/collections/_superusers/auth-with-password",
            '{"identity": "a@example.com", "password": "1234567890"}', {"Content-Type": "application/json"})
        check("and the server knows what it did", status == 200, status)
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(500)]
        check("500 silent connections disturb nobody", request(port, "GET", "/api/health")[0] == 200)
        check("SIGTERM ends it cleanly", end(first) == 0)
        for one in idle:
            one.close()
        again = start(folder, port)
        check("it starts again", wait_ready(port, again))
        check("SIGINT ends it cleanly", end(again, signal.SIGINT) == 0)
    finally:
        if first.poll() is None:
            end(first, signal.SIGKILL)


def damaged(work):
    folder = os.path.join(work, "damaged")
    os.mkdir(folder)
    path = os.path.join(folder, "data.db")
    content = b"this is no database" * 1000
    with open(path, "wb") as file:
        file.write(content)
    process = start(folder, free_port())
    words = process.communicate(timeout=15)[0]
    check("a damaged database is refused", process.returncode == 1 and "Error:" in words, words)
    with open(path, "rb") as file:
        check("and not touched", file.read() == content)


def full(work):
    """A file that may not grow stands for a disk that is full."""
    folder, port = os.path.join(work, "full"), free_port()
    first = start(folder, port)
    check("a folder for the full disk is made", wait_ready(port, first))
    end(first)
    subprocess.run([ROOST, "superuser", "upsert", "a@example.com", "1234567890", "--dir", folder], check=True, capture_output=True)
    process = start(folder, port, limit=600_000)
    try:
        if not wait_ready(port, process):
            check("it starts with little room", False, process.communicate(timeout=5)[0])
            return
        json = {"Content-Type": "application/json"}
        body = request(
            port, "POST", "/api/collections/_superusers/auth-with-password",
            '{"identity": "a@example.com", "password": "1234567890"}', json)[1]
        token = body.split('"token":"')[1].split('"')[0]
        made = request(
            port, "POST", "/api/collections",
            '{"name": "rows", "type": "base", "listRule": "", "createRule": "", "fields": [{"name": "t", "type": "text"}]}',
            dict(json, Authorization=token))
        check("a collection is made", made[0] == 200, made)
        good, bad = 0, None
        for _ in range(2000):
            status, text = request(port, "POST", "/api/collections/rows/records", '{"t": "%s"}' % ("x" * 4000), json)
            if status != 200:
                bad = status
                break
            good += 1
        check("a full disk is a clear 5xx", bad is not None and bad >= 500, bad)
        check("reading goes on", request(port, "GET", "/api/collections/rows/records?perPage=1")[0] == 200)
    finally:
        end(process)
    process = start(folder, port)
    try:
        check("with room again it starts", wait_ready(port, process))
        text = request(port, "GET", "/api/collections/rows/records?perPage=1")[1]
        check("every acknowledged record is there", '"totalItems":%d' % good in text, (good, text[-60:]))
        status, _ = request(port, "POST", "/api/collections/rows/records", '{"t": "y"}', {"Content-Type": "application/json"})
        check("and it takes records again", status == 200, status)
    finally:
        end(process)


def main():
    work = tempfile.mkdtemp(prefix="lifecycle-")
    try:
        sharing(work)
        damaged(work)
        full(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
