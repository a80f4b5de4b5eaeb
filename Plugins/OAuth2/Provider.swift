import PluginKit

/// A service whose accounts people sign in with. What is here is the service's own; a collection's options say which
/// client it is used as.
struct Provider: Sendable {
    let name: String
    let title: String
    /// Whether the code is bound to who asked for it (RFC 7636).
    var usesPKCE = true
    var scopes: [String] = []
    var authURL = ""
    var tokenURL = ""
    var userInfoURL = ""
    /// The colour of its mark, and the letter in it.
    let mark: (colour: String, letter: String)
    /// Further parameters of the page where people agree.
    var parameters: [(String, String)] = []
    /// How the account is asked for; mostly the user info URL with the token.
    var ask: @Sendable (Session) throws -> JSON = { try $0.userInfo() }
    /// What the account's document says.
    let read: @Sendable (AccountReader, Session) throws -> Account

    /// A plain mark: services' own logos are theirs.
    var logo: String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" width="64" height="64" viewBox="0 0 64 64"><rect width="64" height="64" \
        rx="14" fill="\(mark.colour)"/><text x="32" y="45" font-family="sans-serif" font-size="38" font-weight="700" \
        text-anchor="middle" fill="#fff">\(mark.letter)</text></svg>
        """
    }
}

/// Somebody's account at a provider.
struct Account: Sendable {
    /// What the provider knows it by, for ever.
    var id: String
    var name = ""
    var username = ""
    /// Empty unless the provider says that the address is theirs.
    var email = ""
    var avatarURL = ""
}

/// Why an account cannot be used, for the log.
struct ProviderError: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// A document of a provider, read as strictly as its types are meant: a value of another type is an error, a missing one
/// is empty.
struct AccountReader {
    let json: JSON

    init(_ json: JSON) { self.json = json }

    subscript(path: String...) -> AccountReader {
        AccountReader(path.reduce(json) { $0[$1] ?? .null })
    }

    private func wrong(_ path: [String]) -> ProviderError {
        ProviderError("the account's \(path.joined(separator: ".")) is of an unexpected type")
    }

    func text(_ path: String...) throws -> String {
        switch path.reduce(json, { $0[$1] ?? .null }) {
        case .null: return ""
        case .string(let text): return text
        default: throw wrong(path)
        }
    }

    /// A whole number as text.
    func number(_ path: String...) throws -> String {
        switch path.reduce(json, { $0[$1] ?? .null }) {
        case .null: return "0"
        case .number(let number):
            guard let whole = Int64(exactly: number) else { throw wrong(path) }
            return String(whole)
        default: throw wrong(path)
        }
    }

    func bool(_ path: String...) throws -> Bool {
        switch path.reduce(json, { $0[$1] ?? .null }) {
        case .null: return false
        case .bool(let value): return value
        default: throw wrong(path)
        }
    }

    /// What some services give as a text or a number.
    func looseBool(_ path: String...) -> Bool {
        switch path.reduce(json, { $0[$1] ?? .null }) {
        case .bool(let value): value
        case .number(let number): number != 0
        case .string(let text): ["1", "t", "T", "TRUE", "true", "True"].contains(text)
        case .null, .array, .object: false
        }
    }
}

/// A provider as a collection uses it.
struct ConfiguredProvider: Sendable {
    var provider: Provider
    let clientID: String
    let clientSecret: String
    let extra: JSONObject

    /// - Parameter options: a member of the collection's `oauth2.providers`.
    /// - Returns: nil for a provider that is not known.
    init?(_ options: JSON) {
        guard let name = options["name"]?.stringValue, var provider = Providers.find(name) else { return nil }
        func text(_ key: String) -> String { options[key]?.stringValue ?? "" }
        if !text("authURL").isEmpty { provider.authURL = text("authURL") }
        if !text("tokenURL").isEmpty { provider.tokenURL = text("tokenURL") }
        if !text("userInfoURL").isEmpty { provider.userInfoURL = text("userInfoURL") }
        if let pkce = options["pkce"]?.boolValue { provider.usesPKCE = pkce }
        extra = options["extra"]?.objectValue ?? [:]
        if name == "microsoft", !(extra["idTokenEmailClaim"]?.stringValue ?? "").isEmpty,
            !provider.scopes.contains("openid")
        {
            provider.scopes.append("openid")
        }
        self.provider = provider
        clientID = text("clientId")
        clientSecret = text("clientSecret")
    }

    /// The page where people agree, up to where the client puts its own address.
    func address(state: String, challenge: String) -> String {
        var query = [("client_id", clientID), ("response_type", "code"), ("state", state)] + provider.parameters
        if !provider.scopes.isEmpty { query.append(("scope", provider.scopes.joined(separator: " "))) }
        if provider.usesPKCE { query += [("code_challenge", challenge), ("code_challenge_method", "S256")] }
        let joint = provider.authURL.utf8.contains(UInt8(ascii: "?")) ? "&" : "?"
        return provider.authURL + joint + FormText.encode(query.sorted { $0.0 < $1.0 }) + "&redirect_uri="
    }
}

/// `application/x-www-form-urlencoded`.
enum FormText {
    private static let digits = Array("0123456789ABCDEF".utf8)

    static func encode(_ pairs: [(String, String)]) -> String {
        pairs.map { "\(escape($0.0))=\(escape($0.1))" }.joined(separator: "&")
    }

    static func escape(_ text: String) -> String {
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                out.append(byte)
            case 0x20: out.append(UInt8(ascii: "+"))
            default: out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The pairs of a form, the first of each name.
    static func decode(_ text: [UInt8]) -> JSONObject {
        var result = JSONObject()
        for pair in text.split(separator: UInt8(ascii: "&")) {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = unescape(parts[0])
            if result[name] == nil { result[name] = .string(parts.count > 1 ? unescape(parts[1]) : "") }
        }
        return result
    }

    private static func unescape(_ text: ArraySlice<UInt8>) -> String {
        var out: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): out.append(0x20)
            case UInt8(ascii: "%"):
                let pair = rest.prefix(2)
                if pair.count == 2, let value = UInt8(String(decoding: pair, as: UTF8.self), radix: 16) {
                    out.append(value)
                    rest = rest.dropFirst(2)
                } else {
                    out.append(byte)
                }
            default: out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
