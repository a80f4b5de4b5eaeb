import PluginKit
import Transfers

/// What a provider gave for a code.
struct AccessToken: Sendable {
    let access: String
    let refresh: String
    /// How it stands in a header.
    let type: String
    /// When it ends, as a moment's text; empty when it was not said.
    let expiry: String
    /// The whole answer.
    let answer: JSONObject

    /// - Throws: ``ProviderError`` when the answer has no token.
    init(_ answer: JSONObject, now: DateTime = .now()) throws {
        if let error = answer["error"]?.stringValue, !error.isEmpty {
            throw ProviderError("it answers \(error) \(answer["error_description"]?.stringValue ?? "")")
        }
        self.answer = answer
        access = answer["access_token"]?.stringValue ?? ""
        guard !access.isEmpty else { throw ProviderError("its answer has no access_token") }
        refresh = answer["refresh_token"]?.stringValue ?? ""
        let given = answer["token_type"]?.stringValue ?? ""
        type =
            switch given.lowercased() {
            case "", "bearer": "Bearer"
            case "mac": "MAC"
            case "basic": "Basic"
            default: given
            }
        let seconds = try Self.seconds(answer["expires_in"])
        expiry = seconds == 0 ? "" : DateTime(seconds: now.seconds + seconds, nanoseconds: now.nanoseconds).text
    }

    /// How long a token lives; 0 when it was not said.
    private static func seconds(_ value: JSON?) throws -> Int64 {
        let seconds: Int64?
        switch value {
        case nil, .null: return 0
        case .number(let number): seconds = Int64(exactly: number)
        case .string(let text): seconds = text.isEmpty ? 0 : Int64(text)
        default: seconds = nil
        }
        guard let seconds else { throw ProviderError("the token's expires_in is no number") }
        return min(max(seconds, 0), Int64(Int32.max))
    }
}

/// A visit to a provider: from the code to the account.
struct Session: Sendable {
    let configured: ConfiguredProvider
    let token: AccessToken
    let client: ProviderClient

    var provider: Provider { configured.provider }
    var clientID: String { configured.clientID }
    var extra: JSONObject { configured.extra }

    private func authorised(_ headers: [(String, String)]) -> [(String, String)] {
        [("Authorization", "\(token.type) \(token.access)")] + headers
    }

    /// The document at the user info URL.
    func userInfo(_ headers: [(String, String)] = []) throws -> JSON {
        let answer = try client.send("GET", provider.userInfoURL, authorised(headers))
        return try answer.document("the account")
    }

    /// What a query (GraphQL) to the user info URL gives.
    func graph(_ query: String) throws -> JSON {
        let body = JSON.object(["query": .string(query)]).serializedBytes()
        let answer = try client.send(
            "POST", provider.userInfoURL, authorised([("content-type", "application/json")]), body)
        return try answer.document("the account")
    }

    /// A document that may be withheld; nil for answers with a status that says so.
    func optional(_ url: String, isWithheld: (Int) -> Bool) throws -> JSON? {
        let answer = try client.send("GET", url, authorised([]))
        if isWithheld(answer.status) { return nil }
        guard let document = try? JSONParser.parse(answer.body) else { throw ProviderError("\(url) is no JSON") }
        return document
    }

    /// The address that is verified and the first one, where a list lies below the user info URL.
    func verifiedPrimaryEmail() throws -> String {
        let answer = try client.send("GET", "\(provider.userInfoURL)/emails", authorised([]))
        if [401, 403, 404].contains(answer.status) { return "" }
        guard let list = try? JSONParser.parse(answer.body).arrayValue else {
            throw ProviderError("the list of addresses is none")
        }
        for entry in list {
            let entry = AccountReader(entry)
            if try entry.bool("verified"), try entry.bool("primary") { return try entry.text("email") }
        }
        return ""
    }

    /// The claims of the token about who somebody is, where no user info URL is set.
    func openIDClaims() throws -> JSONObject {
        let token = try IDToken(token.answer)
        let issuers = extra["issuers"]?.arrayValue?.compactMap(\.stringValue) ?? []
        try token.check(audience: clientID, issuers: issuers)
        if let address = extra["jwksURL"]?.stringValue, !address.isEmpty {
            try token.checkSignature { try keys(address) }
        }
        return token.claims
    }

    /// The keys that a provider signs with.
    func keys(_ url: String) throws -> [JSON] {
        try client.send("GET", url, []).document("the keys")["keys"]?.arrayValue ?? []
    }

    /// Asks for the account.
    ///
    /// - Returns: it, and its document.
    func account() throws -> (Account, JSON) {
        let document = try provider.ask(self)
        guard document.isNull || document.objectValue != nil else { throw ProviderError("the account is no object") }
        return (try provider.read(AccountReader(document), self), document.sortedKeys())
    }
}

/// Asks providers, within a time for all that one sign-in needs.
struct ProviderClient: Sendable {
    private static let handles = HandlePool()
    /// In seconds.
    private static let patience: Int64 = 30

    struct Answer {
        let status: Int
        let type: String
        let body: [UInt8]

        /// - Throws: ``ProviderError`` for a refusal and for what is no JSON.
        func document(_ what: String) throws -> JSON {
            guard status < 400 else { throw ProviderError("\(what) was refused with \(status)") }
            guard let document = try? JSONParser.parse(body) else { throw ProviderError("\(what) is no JSON") }
            return document
        }
    }

    private let end = DateTime.now().seconds + Self.patience

    /// - Throws: ``ProviderError`` when there is no answer.
    func send(
        _ method: String, _ url: String, _ headers: [(String, String)], _ body: [UInt8]? = nil
    ) throws -> Answer {
        var limits = HTTPLimits()
        limits.seconds = Int(max(1, end - DateTime.now().seconds))
        limits.body = 4 << 20
        if body == nil { limits.redirects = 10 }
        let transfer = HTTPTransfer(body.map { .bytes($0) } ?? .none, limits: limits)
        do {
            try Self.handles.withHandle {
                try transfer.perform(
                    $0, method, url, [("User-Agent", "Roost"), ("Accept", "application/json")] + headers)
            }
        } catch let error as HTTPError {
            throw ProviderError(error.reason)
        }
        return Answer(
            status: transfer.head.status, type: transfer.head.headers["content-type"] ?? "", body: transfer.body)
    }
}

extension ConfiguredProvider {
    /// Where a client's name and secret are expected: services disagree, and say so by refusing.
    private static let styles = TokenStyles()

    /// Gives a code for a token (RFC 6749, section 4.1.3).
    func exchange(
        code: String, verifier: String, redirectURL: String, with client: ProviderClient
    ) throws -> AccessToken {
        var form = [("grant_type", "authorization_code"), ("code", code)]
        if !redirectURL.isEmpty { form.append(("redirect_uri", redirectURL)) }
        if provider.usesPKCE { form.append(("code_verifier", verifier)) }
        let key = "\(provider.tokenURL) \(clientID)"
        let known = Self.styles.known(key)
        var failure: any Error = ProviderError("its token address is not known")
        for isInHeader in known.map({ [$0] }) ?? [true, false] {
            do {
                let token = try send(form, isInHeader, client)
                Self.styles.note(isInHeader, key)
                return token
            } catch { failure = error }
        }
        throw failure
    }

    private func send(
        _ form: [(String, String)], _ isInHeader: Bool, _ client: ProviderClient
    ) throws -> AccessToken {
        var form = form
        var headers = [("content-type", "application/x-www-form-urlencoded")]
        if isInHeader {
            let pair = "\(FormText.escape(clientID)):\(FormText.escape(clientSecret))"
            headers.append(("Authorization", "Basic \(Base64.encode(Array(pair.utf8)))"))
        } else {
            form.append(("client_id", clientID))
            if !clientSecret.isEmpty { form.append(("client_secret", clientSecret)) }
        }
        let answer = try client.send("POST", provider.tokenURL, headers, Array(FormText.encode(form).utf8))
        let isForm = answer.type.hasPrefix("application/x-www-form-urlencoded") || answer.type.hasPrefix("text/plain")
        let object = isForm ? FormText.decode(answer.body) : (try? JSONParser.parse(answer.body))?.objectValue
        guard (200..<300).contains(answer.status) else {
            throw ProviderError("it refuses the code with \(answer.status) \(object?["error"]?.stringValue ?? "")")
        }
        guard let object else { throw ProviderError("its answer is no JSON") }
        return try AccessToken(object)
    }
}
