internal import PluginABI

/// A file for a record that is made as a client would make it.
public struct RecordUpload: Sendable {
    /// The key of the body that it comes under.
    public var field: String
    public var name: String
    public var data: [UInt8]

    public init(field: String, name: String, data: [UInt8]) {
        self.field = field
        self.name = name
        self.data = data
    }
}

extension Records {
    /// Creates a record as the client of a request would: its create rule, the checks of forms and the hooks of such
    /// requests hold. Worker threads and transactions. Needs the capability "http".
    ///
    /// - Parameter context: what `@request.context` reads.
    /// - Throws: ``HostError`` with ``HostError/isRefusal`` when the client may not, or the record is not valid; let it pass
    ///   to answer as the request would have been answered.
    public func create(
        in collection: String, as request: HTTPRequest, context: String, body: JSONObject, uploads: [RecordUpload] = []
    ) throws -> Record {
        guard
            let table = host.table(ROOST_TABLE_RECORD_REQUESTS)?.assumingMemoryBound(to: roost_record_requests_v1.self)
        else { throw HostError.denied(ROOST_TABLE_RECORD_REQUESTS) }
        var out = roost_record()
        try RecordUpload.withRaw(uploads[...], []) { uploads in
            try check(
                collection.withRoostBytes { collection in
                    context.withRoostBytes { context in
                        JSON.object(body).serializedBytes().withRoostBytes { body in
                            uploads.withUnsafeBufferPointer {
                                table.pointee.create?(
                                    call.raw, request.raw, transaction, collection, context, body, $0.baseAddress,
                                    UInt64($0.count), &out)
                            }
                        }
                    }
                })
        }
        return Record(out, call)
    }
}

extension RecordUpload {
    /// Calls `body` with the uploads as they cross the boundary.
    fileprivate static func withRaw(
        _ rest: ArraySlice<RecordUpload>, _ done: [roost_record_upload_v1],
        _ body: ([roost_record_upload_v1]) throws -> Void
    ) throws {
        guard let first = rest.first else { return try body(done) }
        try first.field.withRoostBytes { field in
            try first.name.withRoostBytes { name in
                try first.data.withRoostBytes { data in
                    let raw = roost_record_upload_v1(field: field, name: name, data: data)
                    try withRaw(rest.dropFirst(), done + [raw], body)
                }
            }
        }
    }
}
