"""Compares two answers. What must differ between two servers is recognised rather than dropped: times written during
the run, tokens (their claims are compared), and random ids and file suffixes, which must map one to one."""

import base64
import calendar
import json
import re
import time

# Headers that say something about the connection or the moment, not about the API.
IGNORED_HEADERS = {"date", "content-length", "connection", "keep-alive", "transfer-encoding", "last-modified", "server"}

VOLATILE = re.compile(
    r"(?P<token>\beyJ[\w-]+\.[\w-]+\.[\w-]*)"
    r"|(?P<date>\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d{3}Z)"
    r"|(?P<id>(?<![A-Za-z0-9])[a-z0-9]{15}(?![A-Za-z0-9]))"
    r"|(?P<name>(?<![a-z0-9_])[a-z0-9]{10,12}_[a-z0-9]{10}(?=\.[A-Za-z0-9]+))"
    r"|(?P<suffix>(?<=_)(?:[a-z0-9]{10}_)?[a-z0-9]{10}(?=\.[A-Za-z0-9]+))"
)


class Number(str):
    """A JSON number in the text it was sent with, so that `1` and `1.0` are told apart."""


class Object(list):
    """A JSON object as its list of (name, value), so that order and duplicate names are seen."""


def parse(body):
    """The JSON tree of a body, or None when it is not JSON."""
    try:
        text = body.decode("utf-8")
        return json.loads(text, object_pairs_hook=Object, parse_int=Number, parse_float=Number, parse_constant=Number)
    except (ValueError, RecursionError):
        return None


def plain(tree):
    """The tree as ordinary Python values, for saved variables and for printing."""
    if isinstance(tree, Object):
        return {name: plain(value) for name, value in tree}
    if isinstance(tree, list):
        return [plain(value) for value in tree]
    if isinstance(tree, Number):
        return json.loads(tree)
    return tree


def walk(tree, path):
    """The value at a dotted path (`items.0.id`), or None."""
    for step in path.split(".") if path else []:
        if isinstance(tree, Object):
            tree = dict(tree).get(step)
        elif isinstance(tree, list) and step.isdigit() and int(step) < len(tree):
            tree = tree[int(step)]
        else:
            return None
    return tree


def rewrite(tree, path, change):
    """Applies `change` to each value at a dotted path; `*` stands for every member."""
    step, _, rest = path.partition(".")
    if isinstance(tree, Object):
        for index, (name, value) in enumerate(tree):
            if step in ("*", name):
                tree[index] = (name, rewrite(value, rest, change) if rest else change(value))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            if step in ("*", str(index)):
                tree[index] = rewrite(value, rest, change) if rest else change(value)
    return tree


class Comparison:
    """Compares the answers of one area. It lives as long as both servers do, because an id that was random once
    must be the same pair of ids ever after.

    - `fixed`: ids that the fixture or a case chose; they are never taken for random ones.
    - `since`: unix time; later times were written during the run and may differ between the servers.
    - `homes`: the folders of the left and the right server, which some errors name."""

    def __init__(self, fixed, since, homes):
        self.fixed = fixed
        self.homes = [home.encode() for home in homes]
        self.since = since
        self.right_of = {}
        self.left_of = {}

    def answers(self, left, right, mask=(), sort=()):
        """Returns the differences as a list of (class, place, left, right); class is one of
        status, header, body, order."""
        found = []
        for answer, home in zip((left, right), self.homes):
            # Go's JSON decoder chooses between these words per process, so that nobody relies on them.
            answer.body = answer.body.replace(home, b"HOME").replace(b"unable to unmarshal", b"cannot unmarshal")
        if left.status != right.status:
            found.append(("status", "status", left.status, right.status))
        self._headers(left.headers, right.headers, found)
        left_tree, right_tree = parse(left.body), parse(right.body)
        if left_tree is None or right_tree is None:
            if left_tree is not None or right_tree is not None:
                found.append(("body", "body", text_of(left.body), text_of(right.body)))
            elif not self._same_text(text_of(left.body), text_of(right.body)):
                found.append(("body", "body", text_of(left.body), text_of(right.body)))
            return found
        for path in mask:
            left_tree = rewrite(left_tree, path, lambda value: "<masked>")
            right_tree = rewrite(right_tree, path, lambda value: "<masked>")
        for path in sort:
            left_tree = rewrite(left_tree, path, lambda value: sorted(value, key=self._left_key))
            right_tree = rewrite(right_tree, path, lambda value: sorted(value, key=self._right_key))
        self._values(left_tree, right_tree, "$", found)
        return found

    def _left_key(self, value):
        """What a list is sorted by: its text, with ids that are random and not yet seen left out."""
        known = {**{one: one for one in self.fixed}, **{one: one for one in self.right_of}}
        return VOLATILE.sub(lambda match: known.get(match.group(), "~"), json.dumps(plain(value), sort_keys=True))

    def _right_key(self, value):
        """The same for the right side, whose ids are read as those of the left."""
        known = {**{one: one for one in self.fixed}, **self.left_of}
        return VOLATILE.sub(lambda match: known.get(match.group(), "~"), json.dumps(plain(value), sort_keys=True))

    def _headers(self, left, right, found):
        for name in sorted(set(left) | set(right)):
            if name in IGNORED_HEADERS:
                continue
            values = []
            for side in (left, right):
                listed = ", ".join(side.get(name, []))
                values.append(", ".join(sorted(part.strip() for part in listed.split(","))) if name == "vary" else listed)
            if not self._same_text(*values):
                found.append(("header", name, values[0], values[1]))

    def _values(self, left, right, path, found):
        if type(left) is not type(right):
            found.append(("body", path, left, right))
        elif isinstance(left, Object):
            left_names, right_names = [name for name, _ in left], [name for name, _ in right]
            left_map, right_map = dict(left), dict(right)
            for name in left_names:
                if name not in right_map:
                    found.append(("body", path + "." + name, left_map[name], MISSING))
            for name in right_names:
                if name not in left_map:
                    found.append(("body", path + "." + name, MISSING, right_map[name]))
            for name in left_names:
                if name in right_map:
                    self._values(left_map[name], right_map[name], path + "." + name, found)
            shared_left = [name for name in left_names if name in right_map]
            shared_right = [name for name in right_names if name in left_map]
            if shared_left != shared_right:
                found.append(("order", path, left_names, right_names))
        elif isinstance(left, list):
            if len(left) != len(right):
                found.append(("body", path + ".length", len(left), len(right)))
            for index, (one, other) in enumerate(zip(left, right)):
                self._values(one, other, "%s.%d" % (path, index), found)
        elif isinstance(left, str) and not isinstance(left, Number):
            if not self._same_text(left, right):
                found.append(("body", path, left, right))
        elif left != right:
            found.append(("body", path, left, right))

    def _same_text(self, left, right):
        if left == right:
            return True
        left_parts, right_parts = list(VOLATILE.finditer(left)), list(VOLATILE.finditer(right))
        if len(left_parts) != len(right_parts) or VOLATILE.sub("\0", left) != VOLATILE.sub("\0", right):
            return False
        return all(
            one.lastgroup == other.lastgroup and self._same_volatile(one.lastgroup, one.group(), other.group())
            for one, other in zip(left_parts, right_parts)
        )

    def _same_volatile(self, kind, left, right):
        if left == right:
            return True
        if kind == "date":
            return instant(left) >= self.since and instant(right) >= self.since
        if kind == "token":
            found = []
            self._values(claims(left), claims(right), "$", found)
            return not found
        # A file name of one or two letters gets ten random ones, and then the usual suffix.
        if kind == "name" and (len(left) != len(right) or left[:-21] != right[:-21]):
            return False
        if left in self.fixed or right in self.fixed:
            return False
        if self.right_of.setdefault(left, right) != right or self.left_of.setdefault(right, left) != left:
            return False
        return True


class Missing:
    def __repr__(self):
        return "(missing)"


MISSING = Missing()


def instant(text):
    whole = calendar.timegm(time.strptime(text[:19].replace("T", " "), "%Y-%m-%d %H:%M:%S"))
    return whole + int(text[20:23]) / 1000


def claims(token):
    """The claims of a token with `exp` as minutes from now and `iat` dropped; null when it is not a token."""
    try:
        part = token.split(".")[1]
        tree = parse(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return None
    for index, (name, value) in enumerate(tree or []):
        if name == "exp":
            tree[index] = (name, "in %d min" % ((int(value) - time.time() + 30) // 60))
        elif name == "iat":
            tree[index] = (name, "now")
    return tree


def text_of(body):
    return body.decode("utf-8", "backslashreplace")
