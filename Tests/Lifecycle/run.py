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


def start(folder, port, limit=None, options=()):
    def limits():
        if limit:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [ROOST, "serve", "--dir", folder, "--http", "127.0.0.1:%d" % port, *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=limits)


def place(work, name):
    """A data folder with a folder of its own around it, where migrations and plugins are looked for."""
    os.makedirs(os.path.join(work, name), exist_ok=True)
    return os.path.join(work, name, "pb_data")


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
    folder, port = place(work, "shared"), free_port()
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
        check("SIGTERM ends it cleanly", end(first) == 0)
        again = start(folder, port)
        check("it starts again", wait_ready(port, again))
        check("SIGINT ends it cleanly", end(again, signal.SIGINT) == 0)
    finally:
        if first.poll() is None:
            end(first, signal.SIGKILL)


def memory(process):
    """Resident kilobytes."""
    with open("/proc/%d/status" % process.pid) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def crowd(work):
    """Ten thousand clients that are connected and say nothing, or as many as this system lets a process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(10_000, hard - 1000)
    folder, port = place(work, "crowd"), free_port()
    process = start(folder, port)
    idle = []
    try:
        check("a folder for the crowd is served", wait_ready(port, process))
        before = memory(process)
        for _ in range(count):
            idle.append(socket.create_connection(("127.0.0.1", port)))
        check("%d silent connections disturb nobody" % count, request(port, "GET", "/api/health")[0] == 200)
        each = (memory(process) - before) * 1024 / count
        check("each of them takes less than 10 kB", each < 10_000, "%d bytes" % each)
        for one in idle[::100]:
            one.sendall(b"GET /api/health HTTP/1.1\r\nHost: a\r\n\r\n")
        answered = sum(one.recv(100).startswith(b"HTTP/1.1 200") for one in idle[::100])
        check("and those of them that speak are answered", answered == len(idle[::100]), answered)
        check("SIGTERM ends it all the same", end(process) == 0)
    finally:
        for one in idle:
            one.close()
        if process.poll() is None:
            end(process, signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def storm(work):
    """Slow lists must not keep those from their answers who ask for little."""
    folder, port = place(work, "storm"), free_port()
    subprocess.run([ROOST, "superuser", "upsert", "a@example.com", "1234567890", "--dir", folder], check=True, capture_output=True)
    process = start(folder, port, options=["--queryTimeout", "5"])
    json = {"Content-Type": "application/json"}
    try:
        check("a folder for the storm is served", wait_ready(port, process))
        body = request(
            port, "POST", "/api/collections/_superusers/auth-with-password",
            '{"identity": "a@example.com", "password": "1234567890"}', json)[1]
        token = body.split('"token":"')[1].split('"')[0]
        for text in [
            '{"name": "rows", "type": "base", "listRule": "", "viewRule": "", "createRule": "", "fields": [{"name": "t", "type": "text"}]}',
            '{"name": "slow", "type": "view", "listRule": "", "viewQuery": "select rows.id, max(s.value) as m from rows, '
            '(with recursive c(value) as (select 1 union all select value + 1 from c limit 4000000) select value from c) s group by rows.id"}',
        ]:
            made = request(port, "POST", "/api/collections", text, dict(json, Authorization=token))
            check("a collection of the storm is made", made[0] == 200, made)
        begun = time.monotonic()
        made = request(
            port, "POST", "/api/collections", '{"name": "endless", "type": "view", "viewQuery": "select t as id from '
            '(with recursive c(t) as (select 1 union all select t + 1 from c) select max(t) as t from c)"}',
            dict(json, Authorization=token))
        check("a view that never ends is refused", made[0] == 400 and time.monotonic() - begun < 9, made)
        identity = request(port, "POST", "/api/collections/rows/records", '{"t": "x"}', json)[1].split('"id":"')[1].split('"')[0]
        begun = time.monotonic()
        status = request(port, "GET", "/api/collections/slow/records?skipTotal=1")[0]
        alone = time.monotonic() - begun
        check("the slow list is slow", status == 200 and alone > 0.2, (status, alone))
        waiting = []
        for _ in range(40):
            one = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            one.request("GET", "/api/collections/slow/records?skipTotal=1")
            waiting.append(one)
        times = []
        for _ in range(20):
            begun = time.monotonic()
            status = request(port, "GET", "/api/collections/rows/records/" + identity)[0]
            times.append(time.monotonic() - begun)
            check("a view in the storm is answered", status == 200, status)
        check("and does not wait for the slow lists", sorted(times)[10] < alone / 2, (sorted(times)[10], alone))
        for one in waiting:
            one.close()
        check("when their clients have gone it ends cleanly", end(process) == 0)
    finally:
        if process.poll() is None:
            end(process, signal.SIGKILL)


def unwritable(work):
    """A folder that belongs to somebody else."""
    if os.geteuid() != 0:
        return
    folder, port = place(work, "unwritable"), free_port()
    first = start(folder, port)
    check("a folder to take away is made", wait_ready(port, first))
    end(first)
    os.chmod(work, 0o755)
    before = sorted(os.listdir(folder))
    process = subprocess.Popen(
        [ROOST, "serve", "--dir", folder, "--http", "127.0.0.1:%d" % port], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, user=65534, group=65534, extra_groups=[], cwd="/")
    words = process.communicate(timeout=15)[0]
    check("a folder that cannot be written to is refused in words", process.returncode == 1 and "Error:" in words, words)
    check("and nothing in it changes", sorted(os.listdir(folder)) == before, os.listdir(folder))


def damaged(work):
    folder = place(work, "damaged")
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
    folder, port = place(work, "full"), free_port()
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
        crowd(work)
        storm(work)
        unwritable(work)
        damaged(work)
        full(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
