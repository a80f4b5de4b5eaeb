"""Thumbs on PocketBase and Roost: the same images, the same sizes; what comes back must have the same type, the same
pixels across and down, and nearly the same colours. Hostile images, contention and crashes are tried on Roost alone.

    python Tests/Compatibility/thumbtest.py [--roost PATH] [--pocketbase PATH]"""

import argparse
import concurrent.futures
import io
import json
import os
import random
import struct
import sys
import tempfile
import time
import zlib

from PIL import Image, ImageDraw

import filetest
from filetest import Session, check, rss
from server import Server, find_pocketbase, find_roost

SIZES = ["100x100", "60x40", "40x60t", "40x60b", "60x40t", "60x40b", "50x50f", "0x30", "30x0", "200x200", "200x200f", "300x10", "10x300f",
         "1x1", "7x3", "0x400", "99x101b"]
ALL = SIZES + ["99999x99999"]


def picture(width, height, mode="RGB", seed=1):
    """Four quarters of different colours, with a gradient and some noise, so that a wrong crop or turn shows."""
    generator = random.Random(seed)
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    colours = [(220, 30, 40), (30, 200, 60), (40, 50, 230), (230, 220, 60)]
    for index, colour in enumerate(colours):
        x, y = (index % 2) * width // 2, (index // 2) * height // 2
        draw.rectangle([x, y, x + width // 2, y + height // 2], fill=colour)
    for line in range(0, height, max(1, height // 10)):
        draw.line([0, line, width, line], fill=(line * 255 // height,) * 3)
    for _ in range(20):
        x, y = generator.randrange(width), generator.randrange(height)
        draw.ellipse([x - 3, y - 3, x + width // 20, y + height // 20], fill=tuple(generator.randrange(256) for _ in range(3)))
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize((width, height)))
        return image
    return image.convert(mode)


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture(120, 80), "JPEG", quality=95, exif=exif)


def images():
    yield "photo.jpg", encoded(picture(640, 480), "JPEG", quality=95)
    yield "large.jpg", encoded(picture(2400, 1600), "JPEG", quality=90)
    yield "tall.jpg", encoded(picture(90, 700), "JPEG", quality=95)
    yield "progressive.jpg", encoded(picture(640, 480), "JPEG", quality=95, progressive=True)
    yield "grey.jpg", encoded(picture(300, 200, "L"), "JPEG", quality=95)
    yield "small.jpg", encoded(picture(20, 15), "JPEG", quality=95)
    yield "colours.png", encoded(picture(333, 222), "PNG")
    yield "seen-through.png", encoded(picture(200, 150, "RGBA"), "PNG")
    yield "grey.png", encoded(picture(200, 150, "L"), "PNG")
    yield "palette.png", encoded(picture(200, 150).quantize(32), "PNG")
    yield "one.png", encoded(picture(2, 2), "PNG")
    yield "web.webp", encoded(picture(320, 240), "WEBP", quality=95)
    yield "lossless.webp", encoded(picture(320, 240, "RGBA"), "WEBP", lossless=True)
    yield "still.gif", encoded(picture(160, 120).quantize(64), "GIF")
    frames = [picture(160, 120, seed=number).quantize(64) for number in range(3)]
    yield "moving.gif", encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    for orientation in range(1, 9):
        yield "turned%d.jpg" % orientation, turned(orientation)


# What gives no thumb, on both.
def others():
    yield "text.txt", b"hello"
    yield "drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'/>"
    yield "cut.jpg", encoded(picture(640, 480), "JPEG")[:9000]
    yield "cut.png", encoded(picture(333, 222), "PNG")[:900]
    yield "broken.png", b"\x89PNG\r\n\x1a\n" + bytes(100)
    yield "broken.gif", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
    yield "head.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
    yield "picture.bmp", encoded(picture(50, 40), "BMP")


def quarters(image):
    """Mean colours of the whole and of the four quarters, opacity included."""
    image = image.convert("RGBA")
    width, height = image.size
    boxes = [(0, 0, width, height)]
    if width >= 20 and height >= 20:
        boxes += [(x, y, x + width // 2, y + height // 2) for x in (0, width // 2) for y in (0, height // 2)]
    means = []
    for box in boxes:
        pixels = list(image.crop(box).get_flattened_data())
        # Colours count by their opacity: what is not seen may be anything.
        weight = sum(p[3] for p in pixels) or 1
        means.append([sum(p[channel] * p[3] for p in pixels) / weight for channel in range(3)] + [sum(p[3] for p in pixels) / len(pixels)])
    return means


def set_up(session):
    answer = session.send("POST", "/api/collections", session.root, json={
        "name": "pictures", "type": "base", "viewRule": "", "listRule": "", "createRule": "", "updateRule": "", "deleteRule": "",
        "fields": [{"name": "file", "type": "file", "maxSelect": 1, "maxSize": 100000000, "thumbs": [size for size in ALL if size != "100x100"]},
                   {"name": "plain", "type": "file", "maxSelect": 1, "maxSize": 100000000},
                   {"name": "hidden", "type": "file", "maxSelect": 1, "maxSize": 100000000, "protected": True, "thumbs": ["60x40"]}]})
    assert answer.status_code == 200, answer.text
    session.pictures = answer.json()["id"]


def upload(session, name, content, field="file"):
    answer = session.send("POST", "/api/collections/pictures/records", files=[(field, (name, content))])
    assert answer.status_code == 200, answer.text
    record = answer.json()
    return record["id"], record[field], "/api/files/pictures/%s/%s" % (record["id"], record[field])


def compare(sessions):
    for name, content in images():
        places = [upload(session, name, content) for session in sessions]
        for size in SIZES:
            answers = [session.send("GET", place[2] + "?thumb=" + size) for session, place in zip(sessions, places)]
            label = "%s %s" % (name, size)
            shown = [(a.status_code, a.headers.get("content-type"), a.headers.get("content-disposition", "").split("_")[0], a.headers.get("cache-control"),
                      a.headers.get("content-security-policy")) for a in answers]
            check(label + " is answered alike", shown[0] == shown[1], shown)
            opened = []
            for answer in answers:
                try:
                    image = Image.open(io.BytesIO(answer.content))
                    image.load()
                    opened.append(image)
                except OSError as error:
                    check(label + " is an image", False, error)
            if len(opened) < 2:
                continue
            check(label + " has the format", opened[0].format == opened[1].format, [i.format for i in opened])
            check(label + " has the pixels", opened[0].size == opened[1].size, [i.size for i in opened])
            # A palette has 256 colours, which both choose in their own way; two decoders of WebP and JPEG are never quite
            # the same, and of few pixels each counts.
            allowed = 45 if opened[0].format == "GIF" or min(opened[0].size) < 5 else 16
            means = [quarters(image) for image in opened]
            worst = max(abs(a - b) for left, right in zip(*means) for a, b in zip(left, right))
            check(label + " has the colours", worst <= allowed, (round(worst, 1), [[round(v) for v in m[0]] for m in means]))
        stored = [sorted(os.listdir(os.path.join(session.server.dir, "storage", session.pictures, place[0], "thumbs_" + place[1])))
                  for session, place in zip(sessions, places)]
        names = [[file.replace(place[1], "<file>") for file in files] for files, place in zip(stored, places)]
        check(name + " is stored alike", names[0] == names[1], names)
        attributes = []
        for session, place in zip(sessions, places):
            path = os.path.join(session.server.dir, "storage", session.pictures, place[0], "thumbs_" + place[1], "60x40_%s.attrs" % place[1])
            with open(path, encoding="utf-8") as file:
                kept = json.load(file)
            kept.pop("md5")
            attributes.append(kept)
        check(name + " has the attributes", attributes[0] == attributes[1], attributes)
    for name, content in others():
        places = [upload(session, name, content) for session in sessions]
        for size in ["100x100", "60x40"]:
            answers = [session.send("GET", place[2] + "?thumb=" + size) for session, place in zip(sessions, places)]
            shown = [(a.status_code, a.headers.get("content-type"), a.content == content) for a in answers]
            check("%s %s is given out as it is" % (name, size), shown[0] == shown[1] and shown[1][2], shown)


def choices(sessions):
    """Which sizes there are, and how a thumb is answered."""
    content = encoded(picture(300, 200), "JPEG")
    for field, size, is_thumb in [("file", "60x40", True), ("file", "61x40", False), ("file", "0x0", False), ("file", "99999x99999", False), ("file", "", False),
                                  ("file", "60X40", False), ("file", "60x40 ", False), ("plain", "100x100", True), ("plain", "60x40", False),
                                  ("file", "../../x", False), ("file", "60x40f", False)]:
        shown = []
        for session in sessions:
            if size == "99999x99999" and session.label == "pocketbase":
                # It would ask for 40 GB.
                shown.append((200, False, "image/jpeg"))
                continue
            _, _, path = upload(session, "photo.jpg", content, field)
            answer = session.http.get(session.url + path, params={"thumb": size}, timeout=60)
            shown.append((answer.status_code, answer.content != content, answer.headers["content-type"]))
        check("%s of %s" % (size, field), shown[0] == shown[1] and shown[1][1] == is_thumb, shown)
    for headers, query, method in [({}, "", "HEAD"), ({"Range": "bytes=0-9"}, "", "GET"), ({"If-None-Match": "*"}, "", "GET"), ({}, "&download=1", "GET")]:
        shown = []
        for session in sessions:
            _, _, path = upload(session, "photo.jpg", content)
            for _ in range(2):
                answer = session.send(method, path + "?thumb=60x40" + query, headers=headers)
            shown.append((answer.status_code, answer.headers.get("content-type"), answer.headers.get("content-disposition", "").split("_")[0],
                          answer.headers.get("x-frame-options"), answer.headers.get("x-content-type-options")))
        check("thumb with %s%s" % (headers or method, query), shown[0] == shown[1], shown)
    for session in sessions:
        _, _, path = upload(session, "photo.jpg", content, "hidden")
        check("%s hides thumbs of protected files" % session.label, session.send("GET", path + "?thumb=60x40").status_code == 200)
        session.send("PATCH", "/api/collections/pictures", session.root, json={"viewRule": None})
        check("%s asks the rule" % session.label, session.send("GET", path + "?thumb=60x40").status_code == 404)
        session.send("PATCH", "/api/collections/pictures", session.root, json={"viewRule": ""})


def removal(sessions):
    content = encoded(picture(300, 200), "JPEG")
    for session in sessions:
        record, name, path = upload(session, "photo.jpg", content)
        folder = os.path.join(session.server.dir, "storage", session.pictures, record)
        session.send("GET", path + "?thumb=60x40")
        check("%s keeps it" % session.label, os.path.isdir(os.path.join(folder, "thumbs_" + name)))
        session.send("PATCH", "/api/collections/pictures/records/" + record, json={"file": ""})
        check("%s removes thumbs with the file" % session.label, filetest.wait_for(lambda: not os.path.exists(folder) or not os.listdir(folder)))
        check("%s answers 404 then" % session.label, session.send("GET", path + "?thumb=60x40").status_code == 404)
        record, name, path = upload(session, "photo.jpg", content)
        session.send("GET", path + "?thumb=60x40")
        session.send("DELETE", "/api/collections/pictures/records/" + record)
        folder = os.path.join(session.server.dir, "storage", session.pictures, record)
        check("%s removes thumbs with the record" % session.label, filetest.wait_for(lambda: not os.path.exists(folder)))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bombs():
    header = lambda width, height: chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    start = b"\x89PNG\r\n\x1a\n"
    zeros = zlib.compress(bytes(64 << 20), 9)
    yield "bomb of 4 gigapixels.png", start + header(65500, 65500) + chunk(b"IDAT", zeros) + chunk(b"IEND", b"")
    yield "bomb of 99 megapixels.png", start + header(9900, 9999) + chunk(b"IDAT", zlib.compress(bytes((9900 * 3 + 1) * 9999), 9)) + chunk(b"IEND", b"")
    gif = b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\xf7\0\0" + bytes(768)
    frame = b"," + struct.pack("<HHHH", 0, 0, 65535, 65535) + b"\0\x08\x02\x4c\x01\0"
    yield "bomb.gif", gif + frame * 2000 + b";"
    jpeg = bytearray(encoded(picture(64, 64), "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5:at + 9] = struct.pack(">HH", 65500, 65500)
    yield "bomb.jpg", bytes(jpeg)
    yield "bomb.webp", b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8L" + struct.pack("<I", 10) + b"\x2f\xff\xff\xff\x0f" + bytes(5)
    generator = random.Random(7)
    for kind in ["JPEG", "PNG", "GIF", "WEBP"]:
        whole = encoded(picture(200, 150).quantize(64) if kind == "GIF" else picture(200, 150), kind)
        for number in range(15):
            spoiled = bytearray(whole)
            for _ in range(1 + number * 2):
                spoiled[generator.randrange(12, len(spoiled))] = generator.randrange(256)
            yield "spoiled%d.%s" % (number, kind.lower()), bytes(spoiled)


def helpers(pid):
    """The helper processes of a server, whichever thread started them."""
    found = []
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/children" % (pid, task)) as file:
                found += [int(part) for part in file.read().split()]
        except OSError:
            pass
    return found


def hostile(session):
    pid = session.server.process.pid
    session.send("GET", upload(session, "warm.jpg", encoded(picture(300, 200), "JPEG"))[2] + "?thumb=60x40")
    before = rss(pid)
    largest = 0
    for name, content in bombs():
        _, _, path = upload(session, name, content)
        started = time.monotonic()
        answer = session.send("GET", path + "?thumb=60x40")
        took = time.monotonic() - started
        largest = max([largest] + [rss(helper) for helper in helpers(pid)])
        check("%s is answered" % name, answer.status_code == 200 and answer.headers["content-type"].startswith("image/"), (answer.status_code, answer.headers))
        check("%s is answered in time" % name, took < 15, took)
    check("the server's memory stays", rss(pid) - before < 30 << 10, (before, rss(pid)))
    check("a helper's memory is bounded", largest < 900 << 10, largest)
    check("the server lives", session.server.alive() and session.send("GET", "/api/health").status_code == 200)


def contention(session):
    pid = session.server.process.pid
    content = encoded(picture(3000, 2000), "JPEG")
    _, name, path = upload(session, "busy.jpg", content)
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: session.send("GET", path + "?thumb=60x40"), range(64)))
    check("all who want one thumb get it", all(a.status_code == 200 and a.content == answers[0].content and len(a.content) < 10000 for a in answers))
    paths = [upload(session, "busy%d.jpg" % number, content)[2] for number in range(20)]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        jobs = [pool.submit(session.send, "GET", path + "?thumb=60x40") for path in paths]
        seen = 0
        while not all(job.done() for job in jobs):
            seen = max(seen, len(helpers(pid)))
            time.sleep(0.01)
    check("helpers are bounded", 1 <= seen <= max(1, min(os.cpu_count(), 4)), seen)
    check("all are thumbs", all(len(job.result().content) < 10000 for job in jobs))
    # A helper that dies is not missed.
    for helper in helpers(pid):
        os.kill(helper, 9)
    answers = [session.send("GET", path + "?thumb=40x60t") for path in paths[:6]]
    check("after a crash the next thumb is made", all(a.status_code == 200 for a in answers) and len(answers[-1].content) < 10000, [len(a.content) for a in answers])
    # Removed while its thumb is made.
    racing = [upload(session, "racing.jpg", content) for _ in range(6)]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        jobs = [pool.submit(session.send, "GET", place[2] + "?thumb=60x40") for place in racing]
        jobs += [pool.submit(session.send, "DELETE", "/api/collections/pictures/records/" + place[0]) for place in racing]
    folders = [os.path.join(session.server.dir, "storage", session.pictures, place[0]) for place in racing]
    check("nothing is left of what was removed", filetest.wait_for(lambda: not any(os.path.exists(folder) for folder in folders)), folders)
    check("no upload is left", filetest.wait_for(lambda: not os.listdir(os.path.join(session.server.dir, "_roost_uploads"))))


def lifetime(session):
    """Nothing runs before the first thumb, and nothing after the server."""
    running = helpers(session.server.process.pid)
    check("helpers run", running)
    session.server.stop()
    check("they end with the server", filetest.wait_for(lambda: not any(os.path.exists("/proc/%d" % helper) for helper in running), 5))
    session.server.spawn()
    session.server.wait()
    check("no helper runs before it is needed", not helpers(session.server.process.pid))
    with open("/proc/%d/maps" % session.server.process.pid) as file:
        check("the server itself has no libvips", "libvips" not in file.read())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--roost")
    parser.add_argument("--pocketbase")
    options = parser.parse_args()
    os.environ.setdefault("SWIFT_BACKTRACE", "enable=no")
    commands = [("pocketbase", find_pocketbase(options.pocketbase)), ("roost", find_roost(options.roost))]
    with tempfile.TemporaryDirectory() as home:
        servers = [Server(command, os.path.join(home, label), label) for label, command in commands]
        try:
            sessions = []
            for server in servers:
                server.upsert_superuser()
                server.spawn()
                server.wait()
                sessions.append(Session(server, server.label))
                set_up(sessions[-1])
            compare(sessions)
            choices(sessions)
            removal(sessions)
            hostile(sessions[1])
            contention(sessions[1])
            lifetime(sessions[1])
        finally:
            for server in servers:
                server.stop()
    print("%d passed, %d failed" % (filetest.passed, filetest.failed))
    return 1 if filetest.failed else 0


if __name__ == "__main__":
    sys.exit(main())
