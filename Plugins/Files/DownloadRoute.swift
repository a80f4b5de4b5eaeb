import PluginKit

/// `GET /api/files/{collection}/{recordId}/{filename}`
enum DownloadRoute {
    private static let path = "/api/files/{collection}/{recordId}/{filename}"

    static func add(to host: Host) throws {
        try host.route(
            "GET", path,
            quick: { request in
                do {
                    let file = try file(of: try record(request), request)
                    // A protected one asks a rule, which may read at length.
                    return file.isProtected ? nil : try serve(file, request)
                } catch let error as HostError where error.isWrongThread {
                    return nil
                }
            },
            slow: { request in
                let record = try record(request)
                let file = try file(of: record, request)
                if file.isProtected { try admit(record, request) }
                return try serve(file, request)
            })
    }

    private static func record(_ request: HTTPRequest) throws -> Record {
        do {
            let (collection, id) = (request.parameter("collection") ?? "", request.parameter("recordId") ?? "")
            if let record = try request.records.find(collection, id: id) { return record }
        } catch let error as HostError where error.isRefusal || error.isNotFound {
            // No such collection.
        }
        throw ServiceError.notFound()
    }

    private static func file(of record: Record, _ request: HTTPRequest) throws -> StoredFile {
        guard let file = try record.file(request.parameter("filename") ?? "") else { throw ServiceError.notFound() }
        return file
    }

    /// - Throws: 404 when the view rule hides the record from whose token came along.
    private static func admit(_ record: Record, _ request: HTTPRequest) throws {
        var requester = try FileToken.record(request.query("token") ?? "", request.records)
        if requester?.collectionName == "_superusers" {
            if request.host.admitsSuperuser(from: request.remoteIP) { return }
            requester = nil
        }
        guard let rule = try request.records.collection(record.collectionID)?["viewRule"]?.stringValue else {
            throw ServiceError.notFound()
        }
        if rule.isEmpty { return }
        do {
            let matches = try request.records.matches(record, rule: rule, auth: requester, context: "protectedFile")
            if matches { return }
        } catch let error as HostError where error.isRefusal {
            // A rule that does not hold together lets nobody in.
        }
        throw ServiceError.notFound()
    }

    private static func serve(_ file: StoredFile, _ request: HTTPRequest) throws -> HTTPResponse {
        let wanted = request.query("download") ?? ""
        let isDownload = ["1", "t", "T", "true", "TRUE", "True"].contains(wanted)
        let name = request.parameter("filename") ?? ""
        // Dashboards show this size, whether a field lists it or not.
        if let size = request.query("thumb"), size == "100x100" || file.thumbs.contains(size) {
            guard try request.serveThumb(file.key, name: name, size: size, isDownload: isDownload) else {
                throw ServiceError.notFound()
            }
            return .answered
        }
        guard try request.serveFile(file.key, name: name, isDownload: isDownload) else {
            throw ServiceError.notFound()
        }
        return .answered
    }
}
