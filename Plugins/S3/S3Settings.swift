import PluginKit

/// A bucket and how to reach it.
struct S3Settings: Sendable {
    let bucket: String
    let region: String
    let accessKey: String
    let secret: String
    /// Whether the bucket stands in the path of URLs instead of the host's name.
    let usesPathStyle: Bool
    let isEncrypted: Bool
    /// The name of the host to connect to, with its port where it is not the usual one.
    let host: String
    /// What stands before the keys in the path of every URL, escaped; begins with "/".
    private let base: String

    /// - Throws: ``StorageError`` when something is missing or cannot be part of a URL.
    init(_ json: JSON) throws(StorageError) {
        func text(_ key: String) throws(StorageError) -> String {
            guard let text = json[key]?.stringValue, !text.isEmpty else {
                throw StorageError(.invalid, "The settings for S3 have no \(key).")
            }
            if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
                throw StorageError(.invalid, "The settings for S3 have control characters in \(key).")
            }
            return text
        }
        bucket = try text("bucket")
        region = try text("region")
        accessKey = try text("accessKey")
        secret = try text("secret")
        usesPathStyle = json["forcePathStyle"]?.boolValue ?? false

        var endpoint = try text("endpoint")[...]
        if endpoint.hasPrefix("http://") {
            isEncrypted = false
            endpoint = endpoint.dropFirst(7)
        } else {
            isEncrypted = true
            if endpoint.hasPrefix("https://") { endpoint = endpoint.dropFirst(8) }
        }
        while endpoint.last == "/" { endpoint = endpoint.dropLast() }
        let slash = endpoint.firstIndex(of: "/") ?? endpoint.endIndex
        var name = String(endpoint[..<slash])
        let usualPort = isEncrypted ? ":443" : ":80"
        if name.hasSuffix(usualPort) { name = String(name.dropLast(usualPort.count)) }
        let isName =
            !name.isEmpty
            && name.utf8.allSatisfy { S3Escape.isUnreserved($0) || $0 == 0x3A || $0 == 0x5B || $0 == 0x5D }
        guard isName else { throw StorageError(.invalid, "The endpoint of the settings for S3 is no host's name.") }
        let path = S3Escape.path(String(endpoint[slash...]))
        if usesPathStyle {
            host = name
            base = "\(path)/\(S3Escape.segment(bucket))"
        } else {
            guard bucket.utf8.allSatisfy({ S3Escape.isUnreserved($0) }) else {
                throw StorageError(.invalid, "The bucket's name cannot be part of a host's name; use the path style.")
            }
            host = "\(bucket).\(name)"
            base = path
        }
    }

    /// The path of a key's URL, escaped; of the bucket's own for the empty key.
    func path(_ key: String) -> String { "\(base)/\(S3Escape.path(S3Escape.key(key)))" }

    func url(path: String, query: String) -> String {
        "\(isEncrypted ? "https" : "http")://\(host)\(path)\(query.isEmpty ? "" : "?")\(query)"
    }

    /// Whether the service is on this machine, where no proxy is asked.
    var isLocal: Bool {
        let name = host.hasPrefix("[") ? host[...] : host.prefix { $0 != ":" }
        return name.hasPrefix("127.") || name.hasSuffix("localhost") || name.hasPrefix("[::1]")
    }
}
