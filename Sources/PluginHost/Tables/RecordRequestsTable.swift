internal import Engine
internal import JSON
internal import PluginABI

/// "roost.record-requests/1".
enum RecordRequestsTable {
    /// The most files of one record.
    private static let mostUploads: UInt64 = 1000

    static func make() -> roost_record_requests_v1 {
        roost_record_requests_v1(
            create: { call, request, transaction, collection, context, body, uploads, count, out in
                guard let out else { return ROOST_EINVALID }
                out.pointee = roost_record()
                return RecordsTable.run(call, waits: true) { call, records in
                    guard let transaction = RecordsTable.writing(transaction),
                        let exchange = PluginExchange.table.find(request.id)
                    else { return ROOST_ESTALE }
                    guard let collection = collection.text, let context = context.text, !context.isEmpty,
                        let body = body.object, let uploads = RecordRequestsTable.read(uploads, count)
                    else { return ROOST_EINVALID }
                    let record = try records.create(
                        collection, body: body, uploads: uploads, context: context, request: exchange.source,
                        in: transaction.value)
                    out.pointee = call.handle(for: record)
                    return ROOST_OK
                }
            })
    }

    private static func read(
        _ uploads: UnsafePointer<roost_record_upload_v1>?, _ count: UInt64
    ) -> [RecordUpload]? {
        guard count > 0 else { return [] }
        guard count <= mostUploads, let uploads else { return nil }
        var result: [RecordUpload] = []
        for upload in UnsafeBufferPointer(start: uploads, count: Int(count)) {
            guard let field = upload.field.text, !field.isEmpty, let name = upload.name.text,
                let data = upload.data.buffer
            else { return nil }
            result.append(RecordUpload(field: field, name: name, data: Array(data)))
        }
        return result
    }
}
