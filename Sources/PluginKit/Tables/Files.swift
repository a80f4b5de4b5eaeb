internal import PluginABI

/// A file of a record.
public struct StoredFile: Sendable {
    /// Names it in the storage.
    public let key: String
    /// The field that has it.
    public let field: String
    /// Whether only who may see the record gets it.
    public let isProtected: Bool
    /// The sizes of thumbs that the field offers.
    public let thumbs: [String]
}

extension Host {
    /// Says that the plugin gives files out, so that uploads are taken. Only while registering; needs the capability
    /// "files".
    public func acceptUploads() throws {
        guard let table = filesTable else { throw HostError.denied(ROOST_TABLE_FILES) }
        try check(table.pointee.accept_uploads?(raw))
    }
}

extension Record {
    /// The file of a name; nil when none of the fields has it. Also on event loops, but for records of views.
    public func file(_ name: String) throws -> StoredFile? {
        guard let table = call.host.filesTable else { throw HostError.denied(ROOST_TABLE_FILES) }
        var out = roost_bytes()
        let status = name.withRoostBytes { table.pointee.locate?(call.raw, raw, $0, &out) }
        if status == ROOST_ENOTFOUND { return nil }
        try check(status)
        let json = try JSONParser.parse(out.buffer)
        return StoredFile(
            key: json["key"]?.stringValue ?? "", field: json["field"]?.stringValue ?? "",
            isProtected: json["protected"]?.boolValue ?? true,
            thumbs: (json["thumbs"]?.arrayValue ?? []).compactMap(\.stringValue))
    }
}

extension HTTPRequest {
    /// Answers with a stored file, or with what its conditional and range headers ask of it. Return
    /// ``HTTPResponse/answered`` then.
    ///
    /// - Parameters:
    ///   - name: what the client is told that it is called.
    ///   - isDownload: whether the client is to save it, whatever its type.
    /// - Returns: false when there is no such file; the request is then still to be answered.
    public func serveFile(_ key: String, name: String, isDownload: Bool = false) throws -> Bool {
        guard let table = call.host.filesTable else { throw HostError.denied(ROOST_TABLE_FILES) }
        let flags = isDownload ? ROOST_FILE_DOWNLOAD : 0
        let status = key.withRoostBytes { key in name.withRoostBytes { table.pointee.serve?(raw, key, $0, flags) } }
        if status == ROOST_ENOTFOUND { return false }
        try check(status)
        return true
    }
}
