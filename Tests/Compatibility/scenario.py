"""Reads `cases/*.jsonl`: one case a line. README.md describes the keys."""

import itertools
import json
import os
import re
import urllib.parse

VARIABLE = re.compile(r"\$\{(\w+)\}")
REPEAT = re.compile(r"\$\{([^*$]+)\*(\d+)\}")
BODIES = ("json", "raw", "hex", "form", "urlencoded", "pad")
KEYS = {"name", "do", "as", "token", "jwt", "headers", "type", "q", "save", "mask", "sort", "expect", "for", "with", "without", "unordered", *BODIES}


class BadCase(Exception):
    """A line of a scenario file that cannot be understood."""


def fill(value, variables):
    """Replaces `${name}` everywhere, and `${ab*3}` by `ababab`. A string that is nothing but one variable becomes its value with its type."""
    if isinstance(value, str):
        whole = VARIABLE.fullmatch(value)
        if whole and whole.group(1) in variables:
            return variables[whole.group(1)]

        def text(match):
            found = variables.get(match.group(1), match.group(0))
            return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)

        value = VARIABLE.sub(text, value)
        return REPEAT.sub(lambda match: match.group(1) * int(match.group(2)), value) if "*" in value else value
    if isinstance(value, list):
        return [fill(item, variables) for item in value]
    if isinstance(value, dict):
        return {fill(name, variables): fill(item, variables) for name, item in value.items()}
    return value


def merge(defaults, case):
    merged = dict(defaults)
    if any(kind in case for kind in BODIES):
        for kind in BODIES:
            merged.pop(kind, None)
    if "token" in case or "jwt" in case or "as" in case:
        for key in ("as", "token", "jwt"):
            merged.pop(key, None)
    for key, value in case.items():
        if key in ("q", "headers") and isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = {**merged[key], **value}
        else:
            merged[key] = value
    if "with" in merged or "without" in merged:
        body = {**merged.get("json", {}), **merged.pop("with", {})}
        gone = merged.pop("without", ())
        merged["json"] = {name: value for name, value in body.items() if name not in gone}
    return merged


def describe(case):
    """A name for a case that has none: what it sends."""
    parts = [case["do"]]
    if case.get("as", "guest") != "guest":
        parts.append("as " + case["as"])
    for key in ("q",) + BODIES:
        if key in case:
            parts.append(json.dumps(case[key], ensure_ascii=False)[:160])
    return " ".join(parts)


def load(path):
    """The cases of one file, products (`for`) already multiplied out, each with a name of its own."""
    cases, defaults, names = [], {}, {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if not line or line.startswith("//"):
                continue
            where = "%s:%d" % (os.path.basename(path), number)
            try:
                case = json.loads(line)
            except ValueError as error:
                raise BadCase("%s: %s" % (where, error))
            if "defaults" in case:
                defaults = case["defaults"]
                unknown = set(defaults) - KEYS
            else:
                unknown = set(case) - KEYS
            if unknown:
                raise BadCase("%s: unknown keys %s" % (where, ", ".join(sorted(unknown))))
            if "defaults" in case:
                continue
            axes = case.pop("for", {})
            for combination in itertools.product(*axes.values()):
                values = dict(zip(axes, combination))
                one = merge(fill(defaults, values), fill(case, values))
                if "do" not in one or " " not in one["do"]:
                    raise BadCase("%s: `do` must be METHOD PATH" % where)
                if "name" not in one:
                    one["name"] = describe(one)
                elif axes:
                    one["name"] += " " + json.dumps(list(combination), ensure_ascii=False)
                names[one["name"]] = names.get(one["name"], 0) + 1
                if names[one["name"]] > 1:
                    one["name"] += " (%d)" % names[one["name"]]
                one["line"] = where
                cases.append(one)
    return cases


def unordered(case):
    """Whether the real server answers with keys in random order: it does where `fields` picks some of them."""
    return case.get("unordered", False) or "fields=" in case["do"] or bool(case.get("q", {}).get("fields"))


def query_of(values):
    pairs = []
    for name, value in values.items():
        if value is None:
            continue
        for item in value if isinstance(value, list) else [value]:
            pairs.append((name, item if isinstance(item, str) else json.dumps(item)))
    return urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote)


def multipart(fields):
    """A multipart body. `fields` is an object or a list of [name, value]; a value is a text, a list of texts, or a
    file as {"filename", "content", "type"}."""
    boundary = "----CompatibilityBoundary7MA4YWxk"
    out = []
    for name, value in fields.items() if isinstance(fields, dict) else fields:
        for item in value if isinstance(value, list) else [value]:
            out.append("--%s\r\n" % boundary)
            if isinstance(item, dict):
                out.append('Content-Disposition: form-data; name="%s"; filename="%s"\r\n' % (name, item["filename"]))
                out.append("Content-Type: %s\r\n\r\n" % item.get("type", "application/octet-stream"))
                out.append(item["content"] * item.get("times", 1))
            else:
                out.append('Content-Disposition: form-data; name="%s"\r\n\r\n' % name)
                out.append(item if isinstance(item, str) else json.dumps(item))
            out.append("\r\n")
    out.append("--%s--\r\n" % boundary)
    return "".join(out).encode("utf-8", "surrogatepass"), "multipart/form-data; boundary=" + boundary


def request_of(case, variables, identities):
    """(method, target, headers, body) of a case for one server; `variables` and `identities` are that server's."""
    method, target = fill(case["do"], variables).split(" ", 1)
    if "q" in case:
        target += ("&" if "?" in target else "?") + query_of(fill(case["q"], variables))
    headers, body, content_type = [], None, None
    if "json" in case:
        body = json.dumps(fill(case["json"], variables), ensure_ascii=False).encode("utf-8", "surrogatepass")
        content_type = "application/json"
    elif "raw" in case:
        body, content_type = fill(case["raw"], variables).encode("utf-8", "surrogatepass"), "application/json"
    elif "hex" in case:
        body, content_type = bytes.fromhex(case["hex"]), "application/json"
    elif "pad" in case:
        body = json.dumps({case["pad"]["field"]: "a" * case["pad"]["bytes"]}).encode()
        content_type = "application/json"
    elif "form" in case:
        body, content_type = multipart(fill(case["form"], variables))
    elif "urlencoded" in case:
        body = query_of(fill(case["urlencoded"], variables)).encode()
        content_type = "application/x-www-form-urlencoded"
    content_type = case.get("type", content_type)
    if content_type:
        headers.append(("Content-Type", content_type))
    if "token" in case:
        headers.append(("Authorization", fill(case["token"], variables)))
    elif "jwt" in case:
        wanted = dict(fill(case["jwt"], variables))
        headers.append(("Authorization", identities.token(wanted.pop("who"), **wanted)))
    elif case.get("as", "guest") != "guest":
        headers.append(("Authorization", identities.token(case["as"])))
    for name, value in fill(case.get("headers", {}), variables).items():
        headers.append((name, value))
    return method, target, headers, body
