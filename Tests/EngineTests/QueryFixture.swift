import Engine
import JSON
import Store

/// Posts with authors, tags, comments and a locked collection, in memory, as PocketBase would have made their tables.
struct QueryFixture {
    let schema: Schema
    let connection: Connection
    let cache = PlanCache()
    /// Rows of every table, as the planner is told; nil when it is told nothing.
    var rows: Int?

    struct Instance: FieldInstance {
        let shape: FieldShape
        func normalise(_ value: Value) -> Value { value }
        func modify(_ modifier: FieldModifier, current: Value, operand: Value) -> Value? { nil }
        func validate(_ value: Value, in context: FieldContext) -> FieldFailure? { nil }
        func intercept(_ moment: RecordMoments, in context: FieldContext) throws {}
    }

    static func field(_ name: String, _ shape: FieldShape, hidden: Bool = false) -> Field {
        Field(
            id: "f_" + name, name: name, typeID: "test", hidden: hidden, settings: JSONObject(),
            instance: Instance(shape: shape))
    }
    static func text(_ name: String, hidden: Bool = false) -> Field {
        field(name, FieldShape(column: "TEXT DEFAULT '' NOT NULL", form: .text, zero: .text("")), hidden: hidden)
    }
    static func number(_ name: String) -> Field {
        field(name, FieldShape(column: "NUMERIC DEFAULT 0 NOT NULL", form: .number, zero: .number(0)))
    }
    static func bool(_ name: String) -> Field {
        field(name, FieldShape(column: "BOOLEAN DEFAULT FALSE NOT NULL", form: .bool, zero: .bool(false)))
    }
    static func json(_ name: String) -> Field {
        field(name, FieldShape(column: "JSON DEFAULT NULL", form: .json, zero: .json("null")))
    }
    static func place(_ name: String) -> Field {
        field(
            name,
            FieldShape(
                column: "JSON DEFAULT '{\"lon\":0,\"lat\":0}' NOT NULL", form: .json,
                zero: .json("{\"lon\":0,\"lat\":0}")))
    }
    static func list(_ name: String, to target: String? = nil) -> Field {
        let relation = target.map { FieldShape.Relation(collectionID: $0, cascadeDelete: false, isRequired: false) }
        return field(
            name,
            FieldShape(
                column: "JSON DEFAULT '[]' NOT NULL", form: .list, isMultiple: true, zero: .json("[]"),
                relation: relation))
    }
    static func one(_ name: String, to target: String) -> Field {
        field(
            name,
            FieldShape(
                column: "TEXT DEFAULT '' NOT NULL", form: .lastOfList, zero: .text(""),
                relation: .init(collectionID: target, cascadeDelete: false, isRequired: false)))
    }

    static func collection(
        _ name: String, _ type: CollectionType, list rule: String? = "", indexes: [String] = [],
        _ fields: [Field]
    ) -> Collection {
        Collection(
            id: "c_" + name, name: name, type: type, system: false, fields: [text("id")] + fields, indexes: indexes,
            rules: CollectionRules(list: rule), options: JSONObject(), created: "", updated: "")
    }

    static let collections: [Collection] = [
        collection(
            "users", .auth,
            [
                text("email"), bool("emailVisibility"), bool("verified"), text("name"), text("secret", hidden: true),
                one("team", to: "c_teams"), list("badges", to: "c_tags"),
            ]),
        collection("tags", .base, [text("label"), number("weight")]),
        collection("teams", .base, list: "public = true", [text("title"), bool("public")]),
        collection("vault", .base, list: nil, [text("note")]),
        collection(
            "posts", .base,
            [
                text("title"), number("stars"), bool("done"), json("data"), place("at"), text("hid", hidden: true),
                one("author", to: "c_users"), one("team", to: "c_teams"), one("vault", to: "c_vault"),
                list("tags", to: "c_tags"), list("kinds"), one("parent", to: "c_posts"),
            ]),
        collection("comments", .base, [text("text"), one("post", to: "c_posts"), number("score")]),
        collection(
            "covers", .base,
            indexes: ["CREATE UNIQUE INDEX i ON covers (post)", "CREATE INDEX j ON covers (url COLLATE NOCASE)"],
            [text("url"), one("post", to: "c_posts")]),
        collection("titles", .view, [text("title"), one("author", to: "c_users")]),
        collection("_superusers", .auth, [text("email")]),
    ]

    init() throws {
        schema = Schema(collections: Self.collections, version: 1)
        connection = try Connection(path: ":memory:", access: .readWrite(create: true))
        for collection in schema.collections where !collection.isView {
            let columns = collection.fields.map {
                "\"\($0.name)\" \($0.name == "id" ? "TEXT PRIMARY KEY NOT NULL" : $0.shape.column)"
            }
            try connection.execute("CREATE TABLE \"\(collection.name)\" (\(columns.joined(separator: ", ")))")
        }
        try connection.execute(
            """
            CREATE VIEW titles AS SELECT id, title, author FROM posts;
            INSERT INTO tags (id, label, weight) VALUES ('t1','red',1), ('t2','blue',2), ('t3','Red',3);
            INSERT INTO teams (id, title, public) VALUES ('g1','open',1), ('g2','closed',0);
            INSERT INTO vault (id, note) VALUES ('v1','n');
            INSERT INTO users (id, email, emailVisibility, verified, name, secret, team, badges) VALUES
              ('u1','a@x.example',1,1,'Ann','s1','g1','["t1","t2"]'), ('u2','b@x.example',0,0,'Bob','s2','g2','[]');
            INSERT INTO posts (id, title, stars, done, data, at, hid, author, team, vault, tags, kinds, parent) VALUES
              ('p1','first',1,0,'{"a":{"b":[10,20]},"s":"x"}','{"lon":10,"lat":20}','h1','u1','g1','v1','["t1","t2"]','["a","b"]',''),
              ('p2','100% sure_',2,1,'"plain"','{"lon":0,"lat":0}','h2','u2','g2','','["t2"]','["b"]','p1'),
              ('p3','',0,0,NULL,'{"lon":0,"lat":0}','h1','','','','[]','[]','p1'),
              ('p4','back\\slash',-3.5,1,'5','{"lon":0,"lat":0}','','u1','g2','','["t1"]','["a","c"]','p2');
            INSERT INTO comments (id, text, post, score) VALUES
              ('k1','one','p1',1), ('k2','two','p1',5), ('k3','three','p2',5), ('k4','four','',0);
            INSERT INTO covers (id, url, post) VALUES ('w1','/1','p1'), ('w2','/2','p4');
            """)
    }

    func collection(_ name: String) -> Collection {
        schema.collection(name: name) ?? Self.collections[0]
    }

    /// A request of a stored record.
    func request(as id: String, of name: String = "users") throws -> RequestInfo {
        let collection = collection(name)
        let columns = collection.fields.map { "\"\($0.name)\"" }.joined(separator: ", ")
        let row = try connection.firstRow("SELECT \(columns) FROM \"\(name)\" WHERE id = ?", [.text(id)]) ?? []
        let values = zip(collection.fields, row).map { field, value -> Value in
            switch (field.shape.form, value) {
            case (.bool, _): .bool(value.intValue == 1)
            case (.number, _): .number(value.doubleValue ?? 0)
            case (.list, _), (.json, _): .json(value.textValue ?? "null")
            default: .text(value.textValue ?? "")
            }
        }
        return RequestInfo(auth: Record(collection: collection, stored: values))
    }

    /// A request of a superuser.
    func superuser() -> RequestInfo {
        RequestInfo(auth: Record(collection: collection("_superusers"), stored: [.text("s"), .text("s@x.example")]))
    }

    func plan(
        _ name: String = "posts", rule: String? = nil, filter: String = "", sort: String = "",
        as request: RequestInfo = RequestInfo(), hidden: Bool = false
    ) throws -> SelectPlan {
        try RecordQuery.list(
            collection(name), schema: schema, rule: rule, filter: filter, sort: sort,
            allowsHidden: hidden || request.isSuperuser, request: request, cache: cache,
            rows: rows.map { rows in { _ in rows } })
    }

    /// The ids that a list returns, joined by spaces: in order when there is a sort, else sorted.
    /// Also checks that the count agrees.
    func ids(
        _ name: String = "posts", rule: String? = nil, filter: String = "", sort: String = "",
        as request: RequestInfo = RequestInfo(), hidden: Bool = false
    ) throws -> String {
        let plan = try plan(name, rule: rule, filter: filter, sort: sort, as: request, hidden: hidden)
        let rows = try connection.rows(plan.sql, plan.values(for: request, extra: [.integer(100), .integer(0)]))
        let ids = rows.map { $0[0].textValue ?? "?" }
        let count = try connection.scalar(plan.countSQL ?? "", plan.countValues(for: request))?.intValue
        guard count == Int64(ids.count) else { return "count \(count ?? -1) of \(ids)" }
        return (sort.isEmpty ? ids.sorted() : ids).joined(separator: " ")
    }

    /// Whether a record that is about to be created meets a rule.
    func creates(_ rule: String, _ request: RequestInfo) throws -> Bool {
        let collection = collection("posts")
        let plan = try RecordQuery.createCheck(
            collection, schema: schema, rule: rule, request: request, cache: cache)
        let values = collection.fields.map { field -> SQLValue in
            switch request.body.first(where: { $0.key == field.name })?.value ?? field.shape.zero {
            case .null: .null
            case .bool(let value): .integer(value ? 1 : 0)
            case .number(let value): .real(value)
            case .text(let value), .json(let value): .text(value)
            }
        }
        return try connection.firstRow(plan.sql, plan.values(for: request, extra: values)) != nil
    }
}
