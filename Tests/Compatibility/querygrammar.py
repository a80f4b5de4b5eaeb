"""Random filters, rules, sorts and expands over the collections of querydata.py."""

from querydata import BACK, DAYS, DOCUMENTS, FIELDS, HIDDEN, NUMBERS, ROWS, WORDS, record_id

SIGNS = ["=", "!=", ">", ">=", "<", "<=", "~", "!~"]
MACROS = ["@now", "@yesterday", "@tomorrow", "@todayStart", "@todayEnd", "@monthStart", "@monthEnd", "@yearStart", "@yearEnd",
          "@year", "@month", "@day", "@weekday", "@hour"]
JSON_PATHS = ["a", "b", "a.b", "a.c", "a.c.0", "a.c.2.d", "0", "0.a", "1", "c", "1.0", "nope"]


class Grammar:
    """Makes texts for one request. `allows_all`: hidden fields, @collection and @request may be named as they may be by
    rules and superusers; otherwise they come rarely, to be refused."""

    def __init__(self, dice, collection, allows_all, has_body=False):
        self.dice = dice
        self.collection = collection
        self.allows_all = allows_all
        self.has_body = has_body
        self.crossings = 0

    # Literals

    def quoted(self, word):
        mark = self.dice.choice("'\"")
        out = ""
        for char in word:
            if char == mark or char == "\\" and self.dice.random() < 0.5:
                out += "\\"
            out += char
        # A backslash before the closing quote would escape it.
        if out.endswith("\\") and not out.endswith("\\\\"):
            out += "\\"
        return mark + out + mark

    def literal(self, kind):
        dice = self.dice
        if dice.random() < 0.2:
            kind = dice.choice(["text", "number", "bool", "null", "date", "empty"])
        if isinstance(kind, tuple):
            return self.quoted(record_id(kind[1], dice.randrange(ROWS.get(kind[1], 9))))
        if kind == "id":
            return self.quoted(record_id(self.collection, dice.randrange(12)))
        if kind == "number":
            return dice.choice(["%s" % dice.choice(NUMBERS[:8]), "0", "1", "-1", "2.5", "'1'"]).replace("1000000000.0", "1000000000")
        if kind == "bool":
            return dice.choice(["true", "false", "TRUE", "1", "0", "'true'"])
        if kind == "null":
            return dice.choice(["null", "NULL", "''"])
        if kind == "empty":
            return dice.choice(["''", '""'])
        if kind == "date":
            return dice.choice([self.quoted(dice.choice(DAYS)), "'2024-01-02'", "'2024'", dice.choice(MACROS), "@now"])
        if kind in ("select", "selects"):
            return self.quoted(dice.choice(["draft", "live", "red", "green", "two words", "editor", "re", ""]))
        if kind == "email":
            return self.quoted(dice.choice(["p1@example.com", "example", "a@example.com", "b@EXAMPLE.com", ""]))
        if kind == "json":
            value = dice.choice(DOCUMENTS)
            return {None: "null", True: "true", False: "false"}.get(value if isinstance(value, (bool, type(None))) else "", None) or (
                str(value) if isinstance(value, (int, float)) else self.quoted(value if isinstance(value, str) else dice.choice(WORDS)))
        return self.quoted(dice.choice(WORDS))

    # Paths

    def field(self, collection):
        names = [name for name in FIELDS[collection]
                 if (collection, name) not in HIDDEN or self.allows_all or self.dice.random() < 0.1]
        return self.dice.choice(names)

    def path(self, collection, depth=0, plain=False):
        """A path from a collection, and the type at its end. `plain`: without modifiers that a sort does not take."""
        dice = self.dice
        parts = []
        while True:
            if depth < 3 and BACK[collection] and dice.random() < 0.12:
                back = dice.choice(BACK[collection])
                parts.append(back)
                collection, depth = back.split("_via_")[0], depth + 1
                continue
            name = self.field(collection)
            kind = FIELDS[collection][name]
            if isinstance(kind, tuple) and depth < 3 and dice.random() < 0.6:
                parts.append(name)
                collection, depth = kind[1], depth + 1
                continue
            break
        if kind == "json" and dice.random() < 0.6:
            return ".".join(parts + [name, dice.choice(JSON_PATHS)]), "json"
        if kind == "geo" and dice.random() < 0.8:
            return ".".join(parts + [name, dice.choice(["lon", "lat", "nope"])]), "number"
        multi = isinstance(kind, tuple) or kind in ("select", "selects", "file", "files")
        if multi and dice.random() < (0.2 if plain else 0.35):
            modifier = dice.choice([":each", ":length"])
            return ".".join(parts + [name]) + modifier, "number" if modifier == ":length" else kind
        if dice.random() < 0.08:
            return ".".join(parts + [name]) + ":lower", kind
        return ".".join(parts + [name]), kind

    def request_path(self):
        dice = self.dice
        choice = dice.randrange(9)
        if choice <= 3:
            path, kind = self.path("people", 1)
            return "@request.auth." + path, kind
        if choice == 4:
            return dice.choice(["@request.auth.id", "@request.auth.collectionName", "@request.auth.verified", "@request.auth.email",
                                "@request.auth.role", "@request.auth.nope"]), "text"
        if choice == 5:
            return dice.choice(["@request.context", "@request.method", "@request.query.q", "@request.query.q:isset",
                                "@request.query.nope:isset", "@request.query.n", "@request.query.q:lower"]), "text"
        if choice == 6:
            return dice.choice(["@request.headers.x_key", "@request.headers.x_key:isset", "@request.headers.nope",
                                "@request.headers.x_key:lower"]), "text"
        if not self.has_body and dice.random() < 0.7:
            return "@request.auth.id", ("relation", "people", False)
        name = self.field(self.collection)
        kind = FIELDS[self.collection][name]
        if isinstance(kind, tuple) and dice.random() < 0.5:
            path, end = self.path(kind[1], 2)
            return "@request.body.%s.%s" % (name, path), end
        modifier = dice.choice(["", "", ":isset", ":changed", ":lower"])
        if isinstance(kind, tuple) or kind in ("select", "selects", "file", "files"):
            modifier = dice.choice(["", ":isset", ":changed", ":each", ":each", ":length", ":length"])
        if kind == "json" and dice.random() < 0.5:
            return "@request.body.%s.%s" % (name, dice.choice(JSON_PATHS)), "json"
        return "@request.body.%s%s" % (name, modifier), {":isset": "bool", ":changed": "bool", ":length": "number"}.get(modifier, kind)

    def name(self):
        """A name and the type of what it stands for."""
        dice = self.dice
        if dice.random() < (0.25 if self.allows_all else 0.03):
            if dice.random() < 0.7:
                return self.request_path()
            if self.crossings < 1:
                self.crossings += 1
                other = dice.choice(list(FIELDS))
                alias = dice.choice(["", "", ":x", ":y"])
                path, kind = self.path(other, 2)
                return "@collection.%s%s.%s" % (other, alias, path), kind
        return self.path(self.collection)

    def function(self):
        dice = self.dice
        if dice.random() < 0.5:
            def degree(index):
                if dice.random() < 0.4:
                    return dice.choice(["0", "10.5", "-33.5", "179", "200"])
                prefix = dice.choice(["", "", "", "item.", "items_via_vault.", "items."])
                return prefix + "place." + ("lon", "lat")[index % 2]
            if self.collection in ("items", "seen"):
                choose = lambda index: dice.choice(["place.lon", "place.lat"]) if dice.random() < 0.6 else dice.choice(["0", "45", "-70.25"])
            else:
                choose = degree
            return "geoDistance(%s)" % ", ".join(choose(index) for index in range(4)), "number"
        path, _ = self.path(self.collection)
        form = dice.choice(["%Y", "%Y-%m", "%s", "%w", "%H:%M", "%", "x", ""])
        source = dice.choice([path, path, "'2024-01-02 03:04:05.000Z'", "@now", "0"])
        more = dice.choice(["", "", ", '+1 day'", ", 'start of month', '-1 day'", ", 'unixepoch'", ", 'nope'"])
        if source == "@now":
            form = "%Y-%m"
        return "strftime('%s', %s%s)" % (form, source, more), "number" if form in ("%Y", "%s", "%w") else "text"

    # Expressions

    def comparison(self):
        dice = self.dice
        left, kind = self.function() if dice.random() < 0.06 else self.name()
        roll = dice.random()
        if roll < 0.7:
            right = self.literal(kind)
        elif roll < 0.95:
            right, _ = self.name()
        else:
            right, _ = self.function()
        sign = dice.choice(SIGNS[:2] * 2 + SIGNS)
        if "geoDistance" in left + right:
            # As a text, a number of sixteen digits depends on the version of SQLite.
            sign = dice.choice(SIGNS[:6])
        if dice.random() < 0.35:
            sign = "?" + sign
        if dice.random() < 0.12:
            left, right = right, left
        space = dice.choice(["", " ", "  ", "\n", "\t"])
        return left + space + sign + space + right

    def expression(self, size=None):
        dice = self.dice
        size = size or dice.choice([1, 1, 1, 2, 2, 3, 4])
        parts = []
        for position in range(size):
            if size > 1 and dice.random() < 0.15:
                part = "(" + self.expression(dice.choice([1, 2])) + ")"
            else:
                part = self.comparison()
            if position:
                parts.append(dice.choice([" && ", " || ", "&&", "\n||\n", " // why\n && "]))
            parts.append(part)
        return "".join(parts)

    def sort(self):
        """Some keys; the second value tells whether one of them leads through many records."""
        dice = self.dice
        keys, many = [], False
        for _ in range(dice.choice([0, 0, 1, 1, 2])):
            path, _ = self.path(self.collection, dice.choice([0, 2, 3]), plain=True)
            many = many or self.is_many(path)
            keys.append(dice.choice(["", "-", "+", " -"]) + path)
        return ",".join(keys), many

    def is_many(self, path):
        if "_via_" in path or ":each" in path:
            return True
        collection = self.collection
        for part in path.split(".")[:-1]:
            kind = FIELDS[collection].get(part)
            if not isinstance(kind, tuple):
                return False
            if kind[2]:
                return True
            collection = kind[1]
        return False

    def expand(self):
        dice = self.dice
        paths = []
        for _ in range(dice.choice([1, 1, 2, 3])):
            collection, parts = self.collection, []
            for _ in range(dice.choice([1, 1, 2, 3, 6, 8])):
                forward = [(name, kind[1]) for name, kind in FIELDS[collection].items() if isinstance(kind, tuple)]
                back = [(name, name.split("_via_")[0]) for name in BACK[collection]]
                options = forward + back
                if not options:
                    break
                part, collection = dice.choice(options)
                parts.append(part)
            if dice.random() < 0.05:
                parts.append(dice.choice(["nope", "title", "", "a_via_b"]))
            paths.append(".".join(parts))
        return dice.choice([",", ", "]).join(paths)

    ALPHABET = "()'\"\\/&|=!~<>?.,:@#_-019aZ \n\t\0%ü;`[]{}*+"

    def damage(self, text):
        """Changes some characters of a text."""
        dice = self.dice
        for _ in range(dice.choice([1, 1, 2, 4])):
            place = dice.randrange(len(text) + 1)
            char = dice.choice(self.ALPHABET)
            kind = dice.randrange(5)
            if kind == 0:
                text = text[:place] + text[place + 1:]
            elif kind == 1:
                text = text[:place] + char + text[place:]
            elif kind == 2:
                text = text[:place] + char + text[place + 1:]
            elif kind == 3:
                text = text[:place] + text[place:place + 20] + text[place:]
            else:
                text = text[:place] + dice.choice(["null", "@", "@request.", "@collection.", ":each", ":nope", "&& ", "||", "()",
                                                   "')", "0.", "--", "/*", "//", "strftime(", "geoDistance(1,2", "_via_", "..",
                                                   "id", " = ", "'", "💩", "\r", "\u00a0"]) + text[place:]
        return text
