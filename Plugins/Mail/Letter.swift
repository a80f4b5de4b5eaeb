import Glibc
import PluginKit

/// A message that is fit to be sent: addresses and headers are checked, the plain text is there.
struct Letter {
    let from: String
    /// Addresses alone, of all who get it.
    let recipients: [String]
    let headers: [(name: String, value: String)]
    let html: String
    let text: String
    let attachments: [MailMessage.Attachment]

    init(_ message: MailMessage, from: MailAddress, id: String) throws(MailError) {
        guard !message.to.isEmpty else { throw MailError("The mail has no recipient.") }
        guard !message.html.isEmpty || !message.text.isEmpty else { throw MailError("The mail has no content.") }
        for address in [from] + message.to + message.cc + message.bcc { try Self.check(address) }
        self.from = from.address
        recipients = (message.to + message.cc + message.bcc).map(\.address)
        html = message.html
        text = message.text.isEmpty ? PlainText.of(html: message.html) : message.text
        attachments = message.attachments

        var headers = [
            ("From", Self.list([from])), ("To", Self.list(message.to)), ("Subject", HeaderText.encode(message.subject)),
            ("Date", Self.date()),
        ]
        if !message.cc.isEmpty { headers.insert(("Cc", Self.list(message.cc)), at: 2) }
        if !message.headers.contains(where: { $0.name.lowercased() == "message-id" }) {
            headers.append(("Message-ID", id))
        }
        for (name, value) in message.headers {
            let reserved = ["from", "to", "cc", "bcc", "subject", "date", "mime-version", "content-type"]
            guard HeaderText.isName(name), !reserved.contains(name.lowercased()) else {
                throw MailError("The mail's header \"\(HeaderText.shown(name))\" is not allowed.")
            }
            guard !HeaderText.hasControls(value) else {
                throw MailError("The mail's header \"\(name)\" has a line break in it.")
            }
            headers.append((name, HeaderText.encode(value)))
        }
        if HeaderText.hasControls(message.subject) { throw MailError("The mail's subject has a line break in it.") }
        self.headers = headers
    }

    private static func check(_ address: MailAddress) throws(MailError) {
        let isPlain = address.address.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && !"<>,;\"\\".utf8.contains($0) }
        guard isPlain, address.address.split(separator: "@", omittingEmptySubsequences: false).count == 2,
            !address.address.hasPrefix("@"), !address.address.hasPrefix("-"), !address.address.hasSuffix("@")
        else { throw MailError("\"\(HeaderText.shown(address.address))\" is no e-mail address.") }
        guard !HeaderText.hasControls(address.name) else {
            throw MailError("The name of \(address.address) has a line break in it.")
        }
    }

    /// Addresses as a header has them.
    private static func list(_ addresses: [MailAddress]) -> String {
        addresses.map { $0.name.isEmpty ? $0.address : "\(HeaderText.phrase($0.name)) <\($0.address)>" }
            .joined(separator: ",\r\n ")
    }

    /// Now, as RFC 5322 writes it, whatever the locale.
    private static func date() -> String {
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) "
            + "\(parts.tm_year + 1900) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) +0000"
    }
}
