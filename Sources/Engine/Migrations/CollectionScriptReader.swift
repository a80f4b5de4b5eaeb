import JSON

/// Reads the JavaScript of migrations that PocketBase and Roost write themselves, so that these need no JavaScript
/// engine: a fixed handful of statements around JSON. Anything beyond them is left to a scripting plugin.
struct CollectionScriptReader {
    private let text: [UInt8]
    private var position = 0

    /// The migration that a script describes; nil when it does more than these statements.
    static func read(_ source: String) -> CollectionMigration? {
        var reader = CollectionScriptReader(text: Array(source.utf8))
        return reader.migration()
    }

    private init(text: [UInt8]) { self.text = text }

    // MARK: - Statements

    private mutating func migration() -> CollectionMigration? {
        guard take("migrate", "("), let up = function() else { return nil }
        var down = CollectionMigration.Action.nothing
        if take(",") {
            guard let action = function() else { return nil }
            down = action
        }
        guard take(")") else { return nil }
        _ = take(";")
        skipSpace()
        return position == text.count ? CollectionMigration(upAction: up, downAction: down) : nil
    }

    /// `(app) => { … }`
    private mutating func function() -> CollectionMigration.Action? {
        guard take("(", "app", ")", "=", ">", "{") else { return nil }
        var snapshot: JSON?
        var fresh: JSON?
        var existing: String?
        var edits: [CollectionMigration.Edit] = []
        while !take("}") {
            if take("const", "snapshot", "=") {
                guard snapshot == nil, let value = json() else { return nil }
                snapshot = value
            } else if take("const", "collection", "=", "new", "Collection", "(") {
                guard fresh == nil, existing == nil, let value = json(), take(")") else { return nil }
                fresh = value
            } else if take("const", "collection", "=", "app", ".", "findCollectionByNameOrId", "(") {
                guard fresh == nil, existing == nil, let name = json()?.stringValue, take(")") else { return nil }
                existing = name
            } else if take("unmarshal", "(") {
                guard existing != nil, let value = json(), value.objectValue != nil, take(",", "collection", ")")
                else { return nil }
                edits.append(.merge(value))
            } else if take("collection", ".", "fields", ".") {
                guard existing != nil, let edit = fieldEdit() else { return nil }
                edits.append(edit)
            } else if take("return") {
                guard let action = result(snapshot, fresh, existing, edits) else { return nil }
                _ = take(";")
                return take("}") ? action : nil
            } else {
                return nil
            }
            _ = take(";")
        }
        // Changes that are not saved are none.
        return .nothing
    }

    private mutating func fieldEdit() -> CollectionMigration.Edit? {
        if take("removeById", "(") {
            guard let id = json()?.stringValue, take(")") else { return nil }
            return .removeField(id: id)
        }
        guard take("addAt", "("), let place = json()?.intValue, take(",", "new", "Field", "("), let field = json(),
            field.objectValue != nil, take(")", ")")
        else { return nil }
        return .putField(place, field)
    }

    private mutating func result(
        _ snapshot: JSON?, _ fresh: JSON?, _ existing: String?, _ edits: [CollectionMigration.Edit]
    ) -> CollectionMigration.Action? {
        if take("null") { return .nothing }
        guard take("app", ".") else { return nil }
        if take("importCollections", "(", "snapshot", ",") {
            guard let collections = snapshot?.arrayValue, let deletes = json()?.boolValue, take(")") else { return nil }
            return .importing(collections, deletesMissing: deletes)
        }
        if take("save", "(", "collection", ")") {
            if let fresh { return .create(fresh) }
            return existing.map { .change($0, edits) }
        }
        if take("delete", "(", "collection", ")"), let existing, edits.isEmpty { return .delete(existing) }
        return nil
    }

    // MARK: - Words

    /// Takes these words and signs if they come next, else nothing.
    private mutating func take(_ words: String...) -> Bool {
        let start = position
        for word in words {
            skipSpace()
            let bytes = Array(word.utf8)
            let end = position + bytes.count
            guard end <= text.count, text[position..<end].elementsEqual(bytes) else {
                position = start
                return false
            }
            if Self.isWord(bytes[0]), end < text.count, Self.isWord(text[end]) {
                position = start
                return false
            }
            position = end
        }
        return true
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"):
            true
        default: byte >= 0x80
        }
    }

    /// Skips white space and comments.
    private mutating func skipSpace() {
        while position < text.count {
            switch text[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            case UInt8(ascii: "/"):
                guard position + 1 < text.count else { return }
                if text[position + 1] == UInt8(ascii: "/") {
                    while position < text.count, text[position] != 0x0A { position += 1 }
                } else if text[position + 1] == UInt8(ascii: "*") {
                    var end = position + 2
                    while end + 1 < text.count, text[end] != UInt8(ascii: "*") || text[end + 1] != UInt8(ascii: "/") {
                        end += 1
                    }
                    guard end + 1 < text.count else { return }
                    position = end + 2
                } else {
                    return
                }
            default: return
            }
        }
    }

    /// A JSON value: JavaScript that is not JSON is not understood.
    private mutating func json() -> JSON? {
        skipSpace()
        var end = position
        var depth = 0
        scan: while end < text.count {
            switch text[end] {
            case UInt8(ascii: "\""):
                end += 1
                while end < text.count, text[end] != UInt8(ascii: "\"") {
                    end += text[end] == UInt8(ascii: "\\") ? 2 : 1
                }
                end += 1
                if depth == 0 { break scan }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                end += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { break scan }
                depth -= 1
                end += 1
                if depth == 0 { break scan }
            case UInt8(ascii: ","), UInt8(ascii: ")"), UInt8(ascii: ";"):
                if depth == 0 { break scan }
                end += 1
            default: end += 1
            }
        }
        guard end <= text.count, let value = try? JSONParser.parse(Array(text[position..<end])) else { return nil }
        position = end
        return value
    }
}
