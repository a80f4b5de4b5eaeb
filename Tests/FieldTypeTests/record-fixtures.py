"""Asks a running PocketBase what it makes of many inputs in every field type, and writes what it said as
Fixtures/oracle.json, which FieldTypeTests hold against the field types.

    python record-fixtures.py http://127.0.0.1:8090 superuser@example.com password
"""

import json
import os
import sys

import requests

BASE, EMAIL, PASSWORD = sys.argv[1:4]
answer = requests.post(
    BASE + "/api/collections/_superusers/auth-with-password", json={"identity": EMAIL, "password": PASSWORD})
HEADERS = {"Authorization": answer.json()["token"]}


def call(method, path, body=None):
    answer = requests.request(method, BASE + path, headers=HEADERS, json=body)
    try:
        return answer.status_code, answer.json()
    except ValueError:
        return answer.status_code, None


SCALARS = [
    None, True, False, 0, 1, -1, 2, 1.5, -2.25, 1e21, 1e20, 1e-7, 0.1, 123456789.125, 1.7976931348623157e308, 5e-324,
    9007199254740993, 1e300,
    "", " ", "abc", "true", "TRUE", "True", "tRUE", "t", "T", "f", "false", "1", "0", "yes", "on", "0x10", "0x1p4",
    "0x_1p4", "0x1_0p0", "0X1P-2", "1_000", "_1", "1_", "010", "1e3", "1E+3", "1e", "e1", "1e+", ".5", "5.", ".", "+7",
    "-7", "+", "-", "--1", "-0", "Infinity", "inf", "-inf", "+Inf", "nan", "NaN", "-nan", " 5", "5 ", "1,5", "1.2.3",
    "9007199254740993", "1e400", "-1e400", "1e-400", "0b11", "0o17", "12abc", "\u0665", "null", "[]", "{}", "[1,2]",
    '["a","b"]', '["a",1]', '["a",null]', '["a"', "[x", '{"a":1}', '"quoted"', '"', "[true]", '[["a"]]', "a[b",
    '{"lon":1,"lat":2}', "caf\u00e9", "e\u0301", "\U0001f600", "line\nbreak", "tab\t", "<b>&\"'</b>", "\u2028", "a\u0000b",
]
TREES = [
    [], {}, ["a", "b"], ["a", "a", ""], ["b", "a", "b"], ["a", 1, True, None], [1, 2], [["a"]], [{"a": 1}], {"a": 1},
    [None], [""], ["a", ["b"]], {"lon": 1, "lat": 2}, {"lat": 5}, {"lon": 181, "lat": 0},
    {"lon": 0, "lat": 91}, {"lon": -180, "lat": -90}, {"lon": 1, "lat": 2, "alt": 3}, {"LON": 4, "Lat": 5},
    {"lon": None, "lat": 3}, [1.5, "x"], {"b": 1, "a": {"d": [1, 2.50], "c": "\u003c"}}, [1e21, 1e-7],
]
DATES = [
    "2024-01-02", "2024-01-02 03:04:05", "2024-01-02 03:04", "2024-01-02T03:04:05", "2024-01-02T03:04:05Z",
    "2024-01-02T03:04:05.123Z", "2024-01-02T03:04:05.123456789Z", "2024-01-02T03:04:05+02:00",
    "2024-01-02T03:04:05-0700", "2024-01-02 03:04:05Z", "2024-01-02 03:04:05.1Z", "2024-01-02 03:04:05.12Z",
    "2024-01-02 03:04:05.123Z", "2024-01-02 03:04:05.9999Z", "2024-01-02 03:04:05.123", "2024-01-02 03:04:05,123Z",
    "2024-01-02 03:04:05+02:00", "2024-01-02 03:04:05 +02:00", "2024-01-02 03:04:05 +0200",
    "2024-01-02 03:04:05 +0000 UTC", "2024-01-02 03:04:05.5 -0700 MST", "2024-01-02 03:04:05+0200",
    "Tue, 02 Jan 2024 03:04:05 +0100", "Tue, 02 Jan 2024 03:04:05 GMT", "Tue, 02 Jan 2024 03:04:05 PST",
    "02 Jan 24 03:04 +0100", "02 Jan 24 03:04 MST", "Tuesday, 02-Jan-24 03:04:05 UTC", "Tue Jan  2 03:04:05 2024",
    "Tue Jan 2 03:04:05 2024", "Tue Jan  2 03:04:05 UTC 2024", "Tue Jan 02 03:04:05 +0100 2024", "02 Jan 2024",
    "2 Jan 2024", "3:04PM", "3:04AM", "12:30am", "Jan  2 03:04:05", "Jan 2 03:04:05", "Jan  2 03:04:05.123",
    "Jan  2 03:04:05.123456", "Jan  2 03:04:05.123456789", "2024-02-30", "2024-02-29", "2023-02-29", "2024-13-01",
    "2024-1-2", "2024-01-02T24:00:00Z", "2024-01-02T23:59:60Z", "2024-01-02T03:04:05z", "2024-01-02t03:04:05Z",
    "0001-01-01", "0001-01-01 00:00:00.000Z", "0000-01-01", "0000-01-01 00:00:00.000Z", "9999-12-31 23:59:59.999Z",
    "10000-01-01", "1700000000", "1700000000.5", 1700000000, 1700000000000, 1700000000.5, -1, "now", "today",
    "2024-01-02 03:04:05.000Z ", " 2024-01-02", "2024-01-02T03:04:05+24:00", "2024-01-02T03:04:05+23:59",
    "2024-01-02T03:04:05+00:60", "tue, 02 jan 2024 03:04:05 gmt", "Mon, 02 Jan 2024 03:04:05 GMT", "2024/01/02",
    "01/02/2024", "20240102", "2024-01-02T03:04Z", "2024-W01-1", "2024-01-02 3:04:05", "2024-01-02T3:04:05Z",
    "2024-01-02 03:04:5Z", "1969-12-31 23:59:59.999Z", "2024-01-02 03:04:05.000Z", "2024-01-02 03:04:05.000",
    "2024-01-02 03:04:05 UTC", "2024-01-02T03:04:05.Z", "2024-01-02T03:04:05,5Z",
]
EMAILS = [
    "a@b.co", "A@B.CO", "a@b", "a.b@c.d", "a..b@c.de", ".a@b.co", "a.@b.co", "a+b@c.org", "a b@c.org", "a@b.c.", "@b.co",
    "a@", "\"a b\"@c.org", "a@-b.co", "a@b-.co", "a@b_c.co", "\u00fc@\u00fc.de", "a@b.1", "a@1.co", "a@b.co ", " a@b.co",
    "a@[127.0.0.1]", "a@127.0.0.1", "a@@b.co", "a@b@c.co", "o'neil@x.ie", "=?x?=@b.co", "a@b..co", "a@b.c-d", "a@b.c1",
    "a@b.1c", "!#$%&'*+/=?^_`{|}~-@x.io", "a\t@b.co", "x" * 65 + "@b.co", "a@" + "b" * 64 + ".co", "test@example.com",
    "test@sub.example.com", "test@other.org", "\"\"@b.co", "\"a\\\"b\"@c.org", "a@b.c\u00f6",
]
URLS = [
    "http://example.com", "https://example.com/", "https://example.com:8080/a?b=c#d", "ftp://example.com", "example.com",
    "www.example.com", "http://localhost", "localhost", "localhost:8090", "http://127.0.0.1", "127.0.0.1",
    "http://127.0.0.1:80/x", "http://[::1]", "http://[::1]:80/", "http://[fe80::1%25en0]/", "http://", "http:///x",
    "http:/example.com", "http//example.com", "http:example.com", "://example.com", "mailto:a@b.co", "javascript:alert(1)",
    "data:text/plain,x", "file:///etc/passwd", "ws://x.io", "wss://x.io/s", "gopher://x.io", "tcp://x.io:1", "a", "ab",
    "abc", "a.b", "http://a", "http://a.b", "http://a.b.", "http://.a.b", "http://a..b", "http://-a.b", "http://a-.b",
    "http://a_b.c", "http://user:pw@example.com/", "http://user@example.com", "http://exa mple.com",
    "http://example.com/a b", "http://example.com/%zz", "http://example.com/%20", "http://\u00fcber.de", "http://\u4f8b.\u6d4b",
    "http://example.com:99999", "http://example.com:x", "http://example.com:", "http://999.1.1.1", "http://1.1.1.1.1",
    "HTTP://EXAMPLE.COM", "Http://Example.com", "http://example.c", "http://example.123", "http://foo--bar.com",
    "http://foo/bar", "foo/bar", "/foo", "/foo.html", "?a=b", "#x", "http://?a", "http://#", "http://a.b?c", "http://a.b#c",
    "http://1.2.3", "http://0.0.0.0", "http://10.1.1.0", "http://10.1.1.255", "http://224.1.1.1", " http://a.bc",
    "http://a.bc ", "http://example.com/\u00e9", "http://example.com/\u0001", "http://test.example.com", "http://other.org",
    "http://x" + "a" * 300 + ".com", "http://example.com/" + "a" * 3000, "http://a.b-c.de", "http://xn--80ak.com",
    "http://example.com:80:80", "http://exa%41mple.com", "http://example.com\\x", "rtmp://foobar.com", "//example.com",
    "http://www.foo_bar.com", "http://foo_bar.com", "http://foo.bar#com", "http://foobar.com?foo=bar#baz",
]
TEXTS = ["ab", "abcd", "abcdef", "ABC", "a1", "\u00e9\u00e9\u00e9", "e\u0301e\u0301", "x" * 5000, "x" * 5001]
IDS = [
    "abcdefghijklmno", "ABC", "a.b", "con", "CON", "com1", "con1", "a b", "a/b", "x" * 300, "'", "caf\u00e9", "lpt9", "aux",
    "nul", "\u0000", "a\tb", "kept", "KEPT",
]
PASSWORDS = ["12345678", "1234567", "x" * 71, "x" * 72, "\u00e9" * 8, "\u00e9" * 50, "\u00e9" * 71, 12345678, True, ["a"],
             "$2a$10$abcdefghijklmnopqrstuv"]

# (name of the case's field, type, settings, inputs)
EVERYTHING = SCALARS + TREES
FIELDS = [
    ("text", "text", {}, EVERYTHING + TEXTS),
    ("text_required", "text", {"required": True}, ["", "a", None, [], 0]),
    ("text_limits", "text", {"min": 2, "max": 4}, TEXTS + ["", "a", "\U0001f600\U0001f600"]),
    ("text_pattern", "text", {"pattern": "^[a-z]+$"}, TEXTS + ["", "a\n", "x"]),
    ("text_auto", "text", {"autogeneratePattern": "fixed"}, ["", "a", None]),
    ("editor", "editor", {"maxSize": 10}, EVERYTHING + TEXTS),
    ("editor_required", "editor", {"required": True}, ["", "a", None]),
    ("number", "number", {}, EVERYTHING),
    ("number_required", "number", {"required": True}, [0, 1, "", None, "x"]),
    ("number_limits", "number", {"min": -2, "max": 10, "onlyInt": True}, SCALARS + [-3, -2, 10, 11, 3.5]),
    ("bool", "bool", {}, EVERYTHING),
    ("bool_required", "bool", {"required": True}, [True, False, "t", 0]),
    ("email", "email", {}, EVERYTHING + EMAILS),
    ("email_required", "email", {"required": True}, ["", "a@b.co"]),
    ("email_only", "email", {"onlyDomains": ["example.com"]}, EMAILS),
    ("email_except", "email", {"exceptDomains": ["example.com"]}, EMAILS),
    ("url", "url", {}, EVERYTHING + URLS),
    ("url_required", "url", {"required": True}, ["", "http://a.bc"]),
    ("url_only", "url", {"onlyDomains": ["example.com"]}, URLS),
    ("url_except", "url", {"exceptDomains": ["example.com"]}, URLS),
    ("date", "date", {}, EVERYTHING + DATES),
    ("date_required", "date", {"required": True}, ["", "x", "2024-01-02"]),
    ("date_limits", "date", {"min": "2024-01-02 00:00:00.000Z", "max": "2024-02-01 00:00:00.500Z"},
     DATES + ["2024-02-01", "2024-02-01 00:00:00.500Z", "2024-02-01 00:00:00.501Z", "2024-01-01 23:59:59.999Z"]),
    ("select", "select", {"values": ["a", "b", "1", "true", "1.5"]}, EVERYTHING),
    ("select_required", "select", {"values": ["a"], "required": True}, ["", "a", [], None]),
    ("selects", "select", {"values": ["a", "b", "1", "true", "1.5"], "maxSelect": 2}, EVERYTHING + [["a", "b", "1"]]),
    ("selects_required", "select", {"values": ["a", "b"], "maxSelect": 2, "required": True}, ["", "a", [], [""]]),
    ("json", "json", {}, EVERYTHING),
    ("json_required", "json", {"required": True}, ["", "null", None, [], {}, "[]", "{}", " ", '""', 0, False]),
    ("json_limit", "json", {"maxSize": 5}, ["abc", "abcd", [1, 2], [1, 2, 3], 12345, 123456]),
    ("geo", "geoPoint", {}, EVERYTHING),
    ("geo_required", "geoPoint", {"required": True}, [{"lon": 0, "lat": 0}, {"lon": 1, "lat": 0}, None]),
    ("file", "file", {}, EVERYTHING),
    ("files", "file", {"maxSelect": 2}, EVERYTHING),
    ("file_required", "file", {"required": True}, ["", None, []]),
    ("relation", "relation", {"collectionId": "@target"}, EVERYTHING + ["kept1", "kept2", "gone", ["kept1", "kept2"]]),
    ("relation_required", "relation", {"collectionId": "@target", "required": True}, ["", "kept1", [], None]),
    ("relations", "relation", {"collectionId": "@target", "maxSelect": 2},
     EVERYTHING + ["kept1", "kept2", "gone", ["kept1", "kept2"], ["kept1", "gone"], ["kept1", "kept2", "kept3"]]),
    ("relations_min", "relation", {"collectionId": "@target", "maxSelect": 3, "minSelect": 2},
     [[], ["kept1"], ["kept1", "kept2"], ["kept1", "kept2", "kept3"], ["gone"]]),
    ("password", "password", {"min": 8}, PASSWORDS + ["", None]),
    ("password_max", "password", {"max": 10, "pattern": "^[0-9x]+$"}, PASSWORDS + ["12345678901", "abc"]),
    ("password_required", "password", {"required": True}, ["", "12345678", None]),
]

call("DELETE", "/api/collections/fixture_cases")
call("DELETE", "/api/collections/fixture_target")
status, target = call("POST", "/api/collections", {
    "name": "fixture_target", "type": "base",
    "fields": [{"name": "id", "type": "text", "primaryKey": True, "required": True, "system": True,
                "autogeneratePattern": "[a-z]{15}", "pattern": "^\\w+$", "min": 0, "max": 0}]})
assert status == 200, target
for id in ["kept1", "kept2", "kept3"]:
    assert call("POST", "/api/collections/fixture_target/records", {"id": id})[0] == 200

out = []
for name, type, settings, inputs in FIELDS:
    field = dict(settings)
    if field.get("collectionId") == "@target":
        field["collectionId"] = target["id"]
    call("DELETE", "/api/collections/fixture_cases")
    status, answer = call("POST", "/api/collections", {
        "name": "fixture_cases", "type": "base", "fields": [{"name": "it", "type": type, **field}]})
    assert status == 200, (name, answer)
    for input in inputs:
        status, answer = call("POST", "/api/collections/fixture_cases/records", {"it": input})
        case = {"case": name, "type": type, "settings": settings, "input": input}
        if status == 200:
            if type != "password":
                case["value"] = answer["it"]
        else:
            data = answer.get("data") or {}
            case["failure"] = data.get("it", {"code": "?", "message": str(answer)[:200]})
        out.append(case)

for pattern in ["", "[a-z0-9]{1,255}"]:
    call("DELETE", "/api/collections/fixture_cases")
    key = {"name": "id", "type": "text", "primaryKey": True, "required": True, "system": True, "min": 0, "max": 0,
           "autogeneratePattern": "[a-z]{15}", "pattern": "^[^@]+$" if not pattern else pattern}
    status, answer = call("POST", "/api/collections", {"name": "fixture_cases", "type": "base", "fields": [key]})
    assert status == 200, answer
    for input in IDS:
        status, answer = call("POST", "/api/collections/fixture_cases/records", {"id": input})
        settings = {k: key[k] for k in ("primaryKey", "required", "min", "max", "autogeneratePattern", "pattern")}
        case = {"case": "id", "type": "text", "settings": settings, "input": input}
        if status == 200:
            case["value"] = answer["id"]
        else:
            case["failure"] = (answer.get("data") or {}).get("id", {"code": "?", "message": str(answer)[:200]})
        out.append(case)

call("DELETE", "/api/collections/fixture_cases")
call("DELETE", "/api/collections/fixture_target")
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Fixtures", "oracle.json")
with open(path, "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(case) for case in out) + "\n]\n")
print(len(out), "cases")
