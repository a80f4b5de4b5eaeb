"""A session with the Python client `pocketbase` against a running server, as the README shows it.

    python Tests/Compatibility/tour.py http://127.0.0.1:8090 EMAIL PASSWORD

The server must have that superuser. What the tour creates has a name of its own and is deleted in the end."""

import sys
import time
import traceback

from pocketbase import Client
from pocketbase.errors import ClientResponseError

passed = failed = 0


def check(name, condition, seen=None):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print("FAIL %s%s" % (name, "" if seen is None else ": %r" % (seen,)))


def refused(name, status, action, *fields):
    """The action must be answered with `status`, and with an error for each of the named fields."""
    try:
        done = action()
    except ClientResponseError as error:
        data = (error.data or {}).get("data", {})
        check(name, error.status == status and set(fields) <= set(data), (error.status, error.data))
    else:
        check(name, False, done)


def tour(url, email, password):
    mark = str(int(time.time() * 1000))
    books, shelves, readers = "books_" + mark, "shelves_" + mark, "readers_" + mark
    guest, root = Client(url), Client(url)

    check("the server is healthy", guest.health.check().code == 200)

    # Superuser
    refused("a wrong password is refused", 400,
            lambda: root.collection("_superusers").auth_with_password(email, password + "x"))
    session = root.collection("_superusers").auth_with_password(email, password)
    check("the superuser signs in", session.is_valid and session.record.email == email)
    refused("guests cannot list collections", 401, lambda: guest.collections.get_full_list())

    # Collections
    auto = [{"name": "created", "type": "autodate", "onCreate": True},
            {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True}]
    shelf_collection = root.collections.create({
        "name": shelves, "type": "base", "listRule": "", "viewRule": "",
        "fields": [{"name": "label", "type": "text", "required": True}, *auto],
        "indexes": ["CREATE UNIQUE INDEX idx_label_%s ON %s (label)" % (mark, shelves)],
    })
    check("a collection is created", shelf_collection.name == shelves and len(shelf_collection.id) > 0)
    reader_collection = root.collections.create({
        "name": readers, "type": "auth", "listRule": "id = @request.auth.id", "viewRule": "", "createRule": "",
        "updateRule": "id = @request.auth.id", "deleteRule": "id = @request.auth.id",
        "fields": [{"name": "name", "type": "text"}],
    })
    book_collection = root.collections.create({
        "name": books, "type": "base", "listRule": "", "viewRule": "",
        "createRule": "@request.auth.id != '' && owner = @request.auth.id",
        "updateRule": "owner = @request.auth.id", "deleteRule": "owner = @request.auth.id",
        "fields": [
            {"name": "title", "type": "text", "required": True, "max": 80}, {"name": "pages", "type": "number", "min": 1},
            {"name": "read", "type": "bool"}, {"name": "genres", "type": "select", "values": ["novel", "crime", "poems"], "maxSelect": 3},
            {"name": "shelf", "type": "relation", "collectionId": shelf_collection.id, "maxSelect": 1},
            {"name": "owner", "type": "relation", "collectionId": reader_collection.id, "maxSelect": 1, "cascadeDelete": True},
            {"name": "meta", "type": "json"}, {"name": "cover", "type": "file", "maxSelect": 1}, *auto,
        ],
    })
    check("its fields are there", {"id", "title", "owner"} <= {one["name"] if isinstance(one, dict) else one.name
                                                              for one in book_collection.fields})
    refused("a bad collection is refused", 400, lambda: root.collections.create({"name": "a b", "type": "base"}), "name")
    refused("the same name is refused", 400, lambda: root.collections.create({"name": books, "type": "base"}), "name")

    # Sign-up and sign-in
    person = {"email": "ann_%s@example.com" % mark, "password": "ann's password", "passwordConfirm": "ann's password", "name": "Ann"}
    ann_record = guest.collection(readers).create(person)
    check("a guest signs up", ann_record.name == "Ann" and ann_record.verified is False)
    check("her address is not shown", not hasattr(ann_record, "email"))
    refused("the same address is refused", 400, lambda: guest.collection(readers).create(person), "email")
    refused("a short password is refused", 400, lambda: guest.collection(readers).create(
        {"email": "bob@example.com", "password": "short", "passwordConfirm": "short"}), "password")
    ann = Client(url)
    session = ann.collection(readers).auth_with_password(person["email"], person["password"])
    check("she signs in", session.is_valid and session.record.id == ann_record.id)
    check("she sees her address", session.record.email == person["email"])
    old_token = session.token
    check("she refreshes", ann.collection(readers).auth_refresh().is_valid and len(ann.auth_store.token) > 50)
    check("methods are listed", guest.collection(readers).list_auth_methods().password.enabled)
    bob = Client(url)
    guest.collection(readers).create({**person, "email": "bob_%s@example.com" % mark, "name": "Bob"})
    bob.collection(readers).auth_with_password("bob_%s@example.com" % mark, person["password"])

    # Records
    shelf = root.collection(shelves).create({"label": "left"})
    other_shelf = root.collection(shelves).create({"label": "right"})
    refused("unique values are", 400, lambda: root.collection(shelves).create({"label": "left"}), "label")
    refused("guests cannot create shelves", 403, lambda: guest.collection(shelves).create({"label": "x"}))
    made = [ann.collection(books).create({
        "title": title, "pages": pages, "genres": genres, "owner": ann_record.id, "shelf": where.id, "meta": {"n": pages},
    }) for title, pages, genres, where in (
        ("Emma", 474, ["novel"], shelf), ("Persuasion", 249, ["novel"], shelf),
        ("The Moonstone", 528, ["novel", "crime"], other_shelf), ("Leaves of Grass", 95, ["poems"], other_shelf))]
    check("books are created", len({one.id for one in made}) == 4 and all(len(one.id) == 15 for one in made))
    check("values come back", made[0].pages == 474 and made[0].genres == ["novel"] and made[0].meta == {"n": 474} and made[0].read is False)
    refused("a bad value is refused", 400, lambda: ann.collection(books).create({"owner": ann_record.id, "title": "", "pages": 0.5}), "title", "pages")
    refused("for another owner", 400, lambda: bob.collection(books).create({"title": "x", "owner": ann_record.id}))

    listed = guest.collection(books).get_list(1, 2, {"sort": "-pages"})
    check("a page is listed", (listed.page, listed.per_page, listed.total_items, listed.total_pages) == (1, 2, 4, 2))
    check("in order", [one.title for one in listed.items] == ["The Moonstone", "Emma"])
    found = guest.collection(books).get_full_list(query_params={"filter": 'pages > 100 && genres ?~ "novel"', "sort": "title"})
    check("a filter finds", [one.title for one in found] == ["Emma", "Persuasion", "The Moonstone"], [one.title for one in found])
    check("through a relation", guest.collection(books).get_list(1, 1, {"filter": 'shelf.label = "left"'}).total_items == 2)
    first = guest.collection(books).get_first_list_item('title ~ "moon"', {"expand": "shelf"})
    check("a relation is expanded", first.expand["shelf"].label == "right")
    shelf_seen = guest.collection(shelves).get_one(shelf.id, {"expand": "%s_via_shelf" % books})
    check("and a back relation", {one.title for one in shelf_seen.expand["%s_via_shelf" % books]} == {"Emma", "Persuasion"})
    picked = guest.collection(books).get_one(made[0].id, {"fields": "title,pages"})
    check("fields are picked", picked.title == "Emma" and not picked.id, vars(picked))
    refused("a bad filter is refused", 400, lambda: guest.collection(books).get_list(1, 1, {"filter": "nope = 1"}))
    refused("nothing is 404", 404, lambda: guest.collection(books).get_one("nope"))
    refused("nor is there such a collection", 404, lambda: guest.collection("nope_" + mark).get_list())

    changed = ann.collection(books).update(made[0].id, {"pages+": 6, "genres+": ["crime"], "read": True})
    check("modifiers add", changed.pages == 480 and changed.genres == ["novel", "crime"] and changed.read is True)
    changed = ann.collection(books).update(made[0].id, {"pages-": 80, "genres-": "novel"})
    check("and take away", changed.pages == 400 and changed.genres == ["crime"])
    refused("others' books stay", 404, lambda: bob.collection(books).update(made[0].id, {"title": "x"}))
    refused("and guests' hands off", 404, lambda: guest.collection(books).delete(made[0].id))
    check("a book is deleted", ann.collection(books).delete(made[3].id) is True)
    refused("it is gone", 404, lambda: guest.collection(books).get_one(made[3].id))

    # Schema changes and the end
    fields = [one if isinstance(one, dict) else vars(one) for one in shelf_collection.fields]
    root.collections.update(shelves, {"listRule": None})
    refused("a closed list is closed", 403, lambda: guest.collection(shelves).get_list())
    check("but not to the superuser", root.collection(shelves).get_list().total_items == 2 and fields)
    ann.collection(readers).update(ann_record.id, {
        "oldPassword": person["password"], "password": "another password", "passwordConfirm": "another password"})
    ann.auth_store.save(old_token, None)
    refused("a new password ends old tokens", 401, lambda: ann.collection(readers).auth_refresh())
    refused("a collection in use stays", 400, lambda: root.collections.delete(readers))
    root.collection(readers).delete(ann_record.id)
    check("a reader takes her books along", guest.collection(books).get_list().total_items == 0)
    for name in (books, shelves, readers):
        check("%s is deleted" % name.split("_")[0], root.collections.delete(name) is True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        tour(*sys.argv[1:])
    except Exception:
        # A step that the rest depends on failed: it counts as one failure, and the tour ends there.
        traceback.print_exc()
        failed += 1
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)
