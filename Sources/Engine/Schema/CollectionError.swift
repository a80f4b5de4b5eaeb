import JSON
import Store

/// Why a collection was not saved, deleted or imported.
package enum CollectionError: Error {
    /// Failures by setting, for the client.
    case invalid([String: FailureTree])
    /// A refusal in one sentence, without settings to point at. It is shown to superusers, who alone change collections.
    case refused(String)
    /// The collection is no more.
    case notFound

    /// The answer to the client.
    ///
    /// - Parameter sentence: what did not work, e.g. `Failed to create collection.`
    package func serviceError(_ sentence: String) -> ServiceError {
        switch self {
        case .invalid(let failures): .badRequest(sentence, failures)
        case .refused(let reason): .badRequest("\(sentence) Raw error: \n\(reason)")
        case .notFound: .notFound()
        }
    }

    /// The error in one line, as PocketBase words validation errors that end up inside other errors.
    package var text: String {
        switch self {
        case .invalid(let failures): FailureText.line(.nested(failures))
        case .refused(let reason): reason
        case .notFound: "sql: no rows in result set"
        }
    }

    /// Any error of the database in PocketBase's words.
    package init(_ error: any Error) {
        switch error {
        case let error as CollectionError: self = error
        case let error as StoreError: self = .refused(error.sqliteText)
        default: self = .refused("\(error)")
        }
    }
}

extension StoreError {
    /// As PocketBase's driver words it: the code's meaning, SQLite's message, the code.
    var sqliteText: String {
        let meaning = Self.meanings[primaryCode] ?? "unknown error"
        return message == meaning ? "\(meaning) (\(code))" : "\(meaning): \(message) (\(code))"
    }

    /// `sqlite3_errstr` of the codes that a statement of ours can end with (sqlite.org/rescode.html).
    private static let meanings: [Int32: String] = [
        1: "SQL logic error", 3: "access permission denied", 4: "query aborted", 5: "database is locked",
        6: "database table is locked", 7: "out of memory", 8: "attempt to write a readonly database",
        9: "interrupted", 10: "disk I/O error", 11: "database disk image is malformed", 13: "database or disk is full",
        14: "unable to open database file", 17: "database schema has changed", 18: "string or blob too big",
        19: "constraint failed", 20: "datatype mismatch", 21: "bad parameter or other API misuse",
        25: "column index out of range", 26: "file is not a database",
    ]
}

/// Failures as text.
enum FailureText {
    /// `name: must be in a valid format; rule: ….`
    static func line(_ tree: FailureTree) -> String {
        switch tree {
        case .raw(let json): return json.serialized()
        case .failure(let failure): return text(failure)
        case .nested(let children):
            let parts = children.keys.sorted().compactMap { key -> String? in
                guard let child = children[key] else { return nil }
                if case .nested = child { return "\(key): (\(line(child)))" }
                return "\(key): \(line(child))"
            }
            return parts.joined(separator: "; ") + "."
        }
    }

    /// The failures' texts alone, in the same tree.
    static func json(_ tree: FailureTree) -> JSON {
        switch tree {
        case .raw(let json): json
        case .failure(let failure): .string(text(failure))
        case .nested(let children):
            .object(JSONObject(children.sorted { $0.key < $1.key }.map { ($0.key, json($0.value)) }))
        }
    }

    /// PocketBase's validation library begins its messages with a small letter and ends them without a full stop;
    /// PocketBase's own are sentences. Only where messages become part of others does one see it.
    private static func text(_ failure: FieldFailure) -> String {
        guard library.contains(failure.code), let first = failure.message.first else { return failure.message }
        let message = failure.message.hasSuffix(".") ? String(failure.message.dropLast()) : failure.message
        return first.lowercased() + message.dropFirst()
    }

    private static let library: Set = [
        "validation_required", "validation_nil", "validation_empty", "validation_in_invalid",
        "validation_not_in_invalid",
        "validation_match_invalid", "validation_length_too_long", "validation_length_too_short",
        "validation_length_invalid", "validation_length_out_of_range", "validation_is_url",
        "validation_min_greater_equal_than_required", "validation_max_less_equal_than_required",
        "validation_nil_or_not_empty_required",
    ]
}
