import PluginKit

/// What the server's settings say of mail.
struct MailSettings: Sendable {
    var sender: MailAddress
    var applicationName: String
    /// nil: the machine's sendmail sends.
    var smtp: SMTPSettings?

    init(_ json: JSON) {
        sender = MailAddress(
            json["meta"]?["senderAddress"]?.stringValue ?? "", name: json["meta"]?["senderName"]?.stringValue ?? "")
        applicationName = json["meta"]?["appName"]?.stringValue ?? ""
        if let smtp = json["smtp"], smtp["enabled"]?.boolValue == true { self.smtp = SMTPSettings(smtp) }
    }
}

/// How to reach a mail server.
struct SMTPSettings: Sendable {
    var host: String
    var port: Int
    var username: String
    var password: String
    /// `PLAIN` or `LOGIN`.
    var method: String
    /// Whether the connection is encrypted from its first byte; otherwise it is as soon as the server offers STARTTLS.
    var isTLS: Bool
    /// What this machine calls itself.
    var localName: String

    init(_ json: JSON) {
        host = json["host"]?.stringValue ?? ""
        port = json["port"]?.intValue ?? 0
        username = json["username"]?.stringValue ?? ""
        password = json["password"]?.stringValue ?? ""
        method = json["authMethod"]?.stringValue == "LOGIN" ? "LOGIN" : "PLAIN"
        isTLS = json["tls"]?.boolValue ?? false
        localName = json["localName"]?.stringValue ?? ""
    }

    /// Whether the server is this machine: only then may a password cross an open line.
    var isLocal: Bool { ["localhost", "127.0.0.1", "::1", "[::1]"].contains(host) }

    /// For libcurl; nil when host or name have characters that do not belong there.
    var url: String? {
        let allowed = { (text: String) in
            text.utf8.allSatisfy {
                ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) || "-._:[]".utf8.contains($0)
                    || $0 >= 0x80
            }
        }
        guard !host.isEmpty, allowed(host), allowed(localName), (1...65535).contains(port) else { return nil }
        let address = host.utf8.contains(UInt8(ascii: ":")) && !host.hasPrefix("[") ? "[\(host)]" : host
        return "\(isTLS ? "smtps" : "smtp")://\(address):\(port)/\(localName.isEmpty ? "localhost" : localName)"
    }
}
