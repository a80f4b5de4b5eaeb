import PluginKit

/// What mails of an auth collection are for. The raw value is the one of "roost/mailer.h" and of the test of templates.
enum MailKind: String, CaseIterable {
    case verification
    case passwordReset = "password-reset"
    case emailChange = "email-change"
    case oneTimePassword = "otp"
    case loginAlert = "login-alert"

    /// The template in a collection's document.
    func template(of collection: JSON) -> JSON? {
        switch self {
        case .verification: collection["verificationTemplate"]
        case .passwordReset: collection["resetPasswordTemplate"]
        case .emailChange: collection["confirmEmailChangeTemplate"]
        case .oneTimePassword: collection["otp"]?["emailTemplate"]
        case .loginAlert: collection["authAlert"]?["emailTemplate"]
        }
    }
}

/// Subject and body of a mail, with placeholders such as `{APP_NAME}`, `{TOKEN}` and `{RECORD:name}`.
struct MailTemplate: Sendable {
    let subject: String
    let body: String

    init(_ json: JSON?) {
        subject = json?["subject"]?.stringValue ?? ""
        body = json?["body"]?.stringValue ?? ""
    }

    /// Puts values in for placeholders, once: what a value brings along is no placeholder.
    ///
    /// - Parameter values: by placeholder with its brackets.
    func filled(with values: [String: String]) -> (subject: String, body: String) {
        (Self.fill(subject, values), Self.fill(body, values))
    }

    private static func fill(_ text: String, _ values: [String: String]) -> String {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count + 256)
        var position = 0
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "{"),
                let end = bytes[position...].firstIndex(of: UInt8(ascii: "}")),
                let value = values[String(decoding: bytes[position...end], as: UTF8.self)]
            {
                out += value.utf8
                position = end + 1
            } else {
                out.append(bytes[position])
                position += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}

enum HTML {
    /// A text as HTML shows it.
    static func escaped(_ text: String) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): out += "&amp;".utf8
            case UInt8(ascii: "<"): out += "&lt;".utf8
            case UInt8(ascii: ">"): out += "&gt;".utf8
            case UInt8(ascii: "'"): out += "&#39;".utf8
            case UInt8(ascii: "\""): out += "&#34;".utf8
            default: out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The page around the body of a mail.
    static func page(_ content: String) -> String {
        """
        <!DOCTYPE html>
        <html>
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <style>
        body { margin: 0; padding: 24px; background: #fff; color: #1a1a1f; font: 15px/1.5 system-ui, sans-serif; }
        p { margin: 0 0 12px; }
        a { color: inherit; }
        small { font-size: 12px; }
        hr { border: 0; border-top: 1px solid #dfe3e8; margin: 12px 0; }
        .hidden { display: none; }
        .btn { display: inline-block; min-width: 140px; padding: 10px 20px; border-radius: 6px; box-sizing: border-box;
          background: #1a1a1f; color: #fff !important; font-weight: 600; text-align: center; text-decoration: none; }
        </style>
        </head>
        <body>
        \(content)
        </body>
        </html>

        """
    }
}
