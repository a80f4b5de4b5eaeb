"""Mints the tokens a case asks for from the data directory itself, so that a case can send expired, foreign or broken
tokens, and so that no area depends on the sign-in routes. Tokens are HS256 with tokenKey + the collection's secret."""

import base64
import hashlib
import hmac
import json
import sqlite3
import time


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims, key, algorithm="HS256"):
    head = encode(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    payload = encode(json.dumps(claims).encode())
    if algorithm == "none":
        return "%s.%s." % (head, payload)
    digest = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[algorithm]
    return "%s.%s.%s" % (head, payload, encode(hmac.new(key.encode(), (head + "." + payload).encode(), digest).digest()))


class Identities:
    """The auth records of one data directory, read before its server starts. `aliases` maps a name to
    (collection, record id); `superuser` is always there."""

    def __init__(self, data_dir, aliases, superuser_email):
        self.people = {}
        database = sqlite3.connect("%s/data.db" % data_dir)
        try:
            for collection_id, name, options in database.execute(
                "SELECT id, name, options FROM _collections WHERE type = 'auth'"
            ).fetchall():
                options = json.loads(options)
                for record_id, token_key, email in database.execute(
                    'SELECT id, tokenKey, email FROM "%s"' % name
                ).fetchall():
                    person = {"id": record_id, "key": token_key, "collection": collection_id, "options": options}
                    if name == "_superusers" and email == superuser_email:
                        self.people["superuser"] = person
                    for alias, (owner, owner_id) in aliases.items():
                        if owner == name and owner_id == record_id:
                            self.people[alias] = person
        finally:
            database.close()

    def token(self, alias, type="auth", expires=3600, secret=None, algorithm="HS256", **claims):
        """A token of `type` for the person; `claims` are laid over the usual ones, a null claim is left out."""
        person = self.people[alias]
        body = {
            "collectionId": person["collection"],
            "exp": int(time.time()) + expires,
            "id": person["id"],
            "type": type,
        }
        if type == "auth":
            body["refreshable"] = True
        body.update(claims)
        body = {name: value for name, value in body.items() if value is not None}
        settings = person["options"].get("%sToken" % (type or "auth"), {})
        return sign(body, person["key"] + (secret or settings.get("secret", "")), algorithm)
