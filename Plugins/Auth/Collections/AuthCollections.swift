import Glibc
import PluginKit
import Synchronization

/// Collections as they were last read. The host gives the whole document each time, and the same bytes as long as
/// nothing changed: comparing them costs a fraction of parsing them and can never be out of date.
final class AuthCollections: Sendable {
    private struct Entry {
        var text: [UInt8]
        var collection: AuthCollection
    }

    private static let limit = 1000
    private let entries = Mutex<[String: Entry]>([:])

    /// A collection by its id or name; nil when there is none. Any thread.
    func find(_ nameOrID: String, _ records: Records) throws -> AuthCollection? {
        try records.withCollection(nameOrID) { try read(nameOrID, $0) }
    }

    /// The collection of a document.
    ///
    /// - Parameter key: under which it is remembered.
    func read(_ key: String, _ document: UnsafeBufferPointer<UInt8>) throws -> AuthCollection {
        let known = entries.withLock { entries -> AuthCollection? in
            guard let entry = entries[key], Self.isSame(entry.text, document) else { return nil }
            return entry.collection
        }
        if let known { return known }
        let collection = AuthCollection(try JSONParser.parse(document))
        entries.withLock { entries in
            if entries.count >= Self.limit { entries.removeAll() }
            entries[key] = Entry(text: Array(document), collection: collection)
        }
        return collection
    }

    private static func isSame(_ known: [UInt8], _ document: UnsafeBufferPointer<UInt8>) -> Bool {
        guard known.count == document.count, let given = document.baseAddress else { return false }
        return known.withUnsafeBytes { memcmp($0.baseAddress ?? UnsafeRawPointer(given), given, known.count) == 0 }
    }
}

extension AuthCollections {
    /// The collection that a route's path names.
    ///
    /// - Throws: 404 as PocketBase words it.
    func named(in request: HTTPRequest) throws -> AuthCollection {
        guard let collection = try find(request.parameter("collection") ?? "", request.records) else {
            throw ServiceError.notFound("Missing or invalid collection context.")
        }
        return collection
    }

    /// The same for routes that are only there for auth collections.
    func authNamed(in request: HTTPRequest) throws -> AuthCollection {
        let collection = try named(in: request)
        guard collection.isAuth else { throw ServiceError.notFound("Missing or invalid auth collection context.") }
        return collection
    }

    /// Who asks, and the collection that the path names, which has to be theirs.
    ///
    /// - Throws: 401 for guests, 403 for records of another collection.
    func requester(of request: HTTPRequest) throws -> (Record, AuthCollection) {
        let collection = try named(in: request)
        guard let record = request.auth else {
            throw ServiceError.unauthorized("The request requires valid record authorization token.")
        }
        guard record.collectionID == collection.id else {
            throw ServiceError.forbidden(
                "The request requires auth record from \(record.collectionName) collection.")
        }
        return (record, collection)
    }
}
