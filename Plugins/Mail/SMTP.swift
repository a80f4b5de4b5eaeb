import CCurl
import Glibc
import PluginKit

/// Hands a mail to a mail server, through libcurl. Waits; never on an event loop.
enum SMTP {
    /// In seconds.
    private static let connectTimeout = 15
    private static let timeout = 60

    static func send(_ letter: Letter, _ settings: SMTPSettings) throws(MailError) {
        if let problem = roost_curl_load() { throw MailError(String(cString: problem)) }
        guard let url = settings.url else { throw MailError("The settings name no usable SMTP server.") }
        guard let curl = roost_curl_easy_init() else { throw MailError("libcurl cannot be used.") }
        defer { roost_curl_easy_cleanup(curl) }
        var fault = [CChar](repeating: 0, count: Int(CURL_ERROR_SIZE))
        let (recipients, headers) = (StringList(letter.recipients.map { "<\($0)>" }), StringList(letter.lines))
        guard let mime = roost_curl_mime_init(curl) else { throw MailError("libcurl cannot be used.") }
        defer { roost_curl_mime_free(mime) }
        do {
            try Parts.fill(mime, curl, letter)
            try text(curl, CURLOPT_URL, url)
            try text(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps")
            // The environment's proxies are for the web.
            try text(curl, CURLOPT_PROXY, "")
            try number(curl, CURLOPT_NOSIGNAL, 1)
            try number(curl, CURLOPT_CONNECTTIMEOUT, connectTimeout)
            try number(curl, CURLOPT_TIMEOUT, timeout)
            let hasLogin = !settings.username.isEmpty || !settings.password.isEmpty
            // A password crosses an open line to this machine alone.
            let mustEncrypt = hasLogin && !settings.isLocal
            try number(curl, CURLOPT_USE_SSL, Int(mustEncrypt ? CURLUSESSL_ALL.rawValue : CURLUSESSL_TRY.rawValue))
            if hasLogin {
                try text(curl, CURLOPT_USERNAME, settings.username)
                try text(curl, CURLOPT_PASSWORD, settings.password)
                try text(curl, CURLOPT_LOGIN_OPTIONS, "AUTH=\(settings.method)")
            }
            try text(curl, CURLOPT_MAIL_FROM, "<\(letter.from)>")
            try pointer(curl, CURLOPT_MAIL_RCPT, recipients.raw)
            try pointer(curl, CURLOPT_HTTPHEADER, headers.raw)
            try pointer(curl, CURLOPT_MIMEPOST, UnsafeMutableRawPointer(mime))
            let code = fault.withUnsafeMutableBufferPointer { buffer in
                _ = roost_curl_set_pointer(curl, CURLOPT_ERRORBUFFER, buffer.baseAddress)
                defer { _ = roost_curl_set_pointer(curl, CURLOPT_ERRORBUFFER, nil) }
                return roost_curl_easy_perform(curl)
            }
            try check(code)
        } catch {
            let words = fault.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw MailError(words.isEmpty ? error.reason : String(decoding: words, as: UTF8.self))
        }
        withExtendedLifetime((recipients, headers)) {}
    }

    static func check(_ code: CURLcode) throws(MailError) {
        if code != CURLE_OK { throw MailError(String(cString: roost_curl_easy_strerror(code))) }
    }

    private static func text(_ curl: UnsafeMutableRawPointer, _ option: CURLoption, _ value: String) throws(MailError) {
        try check(roost_curl_set_text(curl, option, value))
    }

    private static func number(_ curl: UnsafeMutableRawPointer, _ option: CURLoption, _ value: Int) throws(MailError) {
        try check(roost_curl_set_number(curl, option, value))
    }

    private static func pointer(
        _ curl: UnsafeMutableRawPointer, _ option: CURLoption, _ value: UnsafeMutableRawPointer?
    ) throws(MailError) {
        try check(roost_curl_set_pointer(curl, option, value))
    }
}

extension Letter {
    /// The headers as lines.
    var lines: [String] { headers.map { "\($0.name): \($0.value)" } }
}

/// A list of texts of libcurl's.
private final class StringList {
    private let list: UnsafeMutablePointer<curl_slist>?

    init(_ texts: [String]) {
        var list: UnsafeMutablePointer<curl_slist>?
        for text in texts { list = roost_curl_slist_append(list, text) ?? list }
        self.list = list
    }

    deinit { roost_curl_slist_free_all(list) }

    var raw: UnsafeMutableRawPointer? { UnsafeMutableRawPointer(list) }
}

/// The body: the text twice, as plain text and as HTML, then the files.
private enum Parts {
    static func fill(_ mime: OpaquePointer, _ curl: UnsafeMutableRawPointer, _ letter: Letter) throws(MailError) {
        guard let versions = roost_curl_mime_init(curl), let body = roost_curl_mime_addpart(mime) else { throw failure }
        if !letter.text.isEmpty { try add(letter.text, "text/plain; charset=UTF-8", to: versions) }
        if !letter.html.isEmpty { try add(letter.html, "text/html; charset=UTF-8", to: versions) }
        // From here on the part owns its versions.
        try SMTP.check(roost_curl_mime_subparts(body, versions))
        try SMTP.check(roost_curl_mime_type(body, "multipart/alternative"))
        for file in letter.attachments {
            guard let part = roost_curl_mime_addpart(mime) else { throw failure }
            guard let content = Base64.decode(file.content), !HeaderText.hasControls(file.name + file.type) else {
                throw MailError("The attachment \"\(HeaderText.shown(file.name))\" is damaged.")
            }
            let taken = content.withUnsafeBytes { bytes in
                roost_curl_mime_data(part, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
            }
            try SMTP.check(taken)
            try SMTP.check(roost_curl_mime_type(part, file.type.isEmpty ? "application/octet-stream" : file.type))
            try SMTP.check(roost_curl_mime_encoder(part, "base64"))
            try SMTP.check(roost_curl_mime_filename(part, file.name))
            if file.isInline {
                let lines = roost_curl_slist_append(
                    roost_curl_slist_append(nil, "Content-Disposition: inline; filename=\"\(file.name)\""),
                    "Content-ID: <\(file.name)>")
                try SMTP.check(roost_curl_mime_headers(part, lines, 1))
            }
        }
    }

    private static func add(_ text: String, _ type: String, to mime: OpaquePointer) throws(MailError) {
        guard let part = roost_curl_mime_addpart(mime) else { throw failure }
        try SMTP.check(roost_curl_mime_data(part, text, text.utf8.count))
        try SMTP.check(roost_curl_mime_type(part, type))
        try SMTP.check(roost_curl_mime_encoder(part, "quoted-printable"))
    }

    private static let failure = MailError("libcurl cannot make the mail.")
}
