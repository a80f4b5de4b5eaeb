import PluginKit

/// Sends alerts of the server to all superusers.
struct AlertMail: Sendable {
    let mailer: Mailer
    let service: MailService
    private static let page = 500

    /// - Throws: why a superuser could not be sent it, after all others were tried.
    func send(_ alert: Alert, _ records: Records) throws {
        let name = try service.applicationName(records)
        let html = Self.html(alert, applicationName: name)
        var failure: (any Error)?
        var offset = 0
        while true {
            let some = try records.list("_superusers", sort: "id", offset: offset, limit: Self.page)
            for superuser in some {
                let address = superuser.text("email")
                if address.isEmpty { continue }
                var message = MailMessage(
                    to: [MailAddress(address)], subject: Self.subject(alert, applicationName: name), html: html)
                message.kind = "system-alert"
                message.collection = "_superusers"
                message.record = superuser.id
                do { try mailer.send(message, records) } catch { failure = error }
            }
            if some.count < Self.page { break }
            offset += some.count
        }
        if let failure { throw failure }
    }

    private static func subject(_ alert: Alert, applicationName: String) -> String {
        let subject = "[\(applicationName) system alert] \(alert.subject)"
        // A header has one line.
        return String(String.UnicodeScalarView(subject.unicodeScalars.map { $0.value < 0x20 ? " " : $0 }))
    }

    private static func html(_ alert: Alert, applicationName: String) -> String {
        """
        <!DOCTYPE html>
        <html>
        <head><meta charset="utf-8"></head>
        <body style="font-family: sans-serif; font-size: 14px; line-height: 20px; color: #16161a">
        <p>\(escaped(applicationName)) has something to tell its superusers:</p>
        <p style="padding: 15px; background: #e4e8ec; white-space: pre-wrap"><strong>\(escaped(alert.details))</strong></p>
        <p>The logs have more about it.</p>
        </body>
        </html>
        """
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&#34;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
