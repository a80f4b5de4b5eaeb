import AuthForms
import COpenSSL
import PluginKit
import WebTokens

/// Signing in with an account elsewhere. Its options are PocketBase's `oauth2` of the collection.
final class OAuth2Method: AuthMethod {
    let name = "oauth2"
    let title = "OAuth2"
    let defaults: JSONObject = ["enabled": false]
    private let host: Host
    private let names: AppleNames

    init(_ host: Host, _ names: AppleNames) {
        self.host = host
        self.names = names
    }

    // MARK: - What clients are offered

    func describe(_ options: JSONObject) -> JSONObject {
        var shown: [JSON] = []
        if options["enabled"]?.boolValue == true {
            for options in options["providers"]?.arrayValue ?? [] {
                guard let configured = ConfiguredProvider(options) else { continue }
                shown.append(offer(configured, title: options["displayName"]?.stringValue ?? ""))
            }
        }
        return ["providers": .array(shown), "enabled": false]
    }

    private func offer(_ configured: ConfiguredProvider, title: String) -> JSON {
        let provider = configured.provider
        let state = random(30)
        let verifier = provider.usesPKCE ? random(43) : ""
        let challenge = provider.usesPKCE ? Self.challenge(of: verifier) : ""
        let address = JSON.string(configured.address(state: state, challenge: challenge))
        return [
            "name": .string(provider.name), "displayName": .string(title.isEmpty ? provider.title : title),
            "logo": .string(provider.logo), "state": .string(state), "authURL": address, "authUrl": address,
            "codeVerifier": .string(verifier), "codeChallenge": .string(challenge),
            "codeChallengeMethod": .string(provider.usesPKCE ? "S256" : ""),
        ]
    }

    /// Letters and digits out of the system's random source.
    private func random(_ count: Int) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var text: [UInt8] = []
        while text.count < count {
            // What is beyond the last whole round would make the first letters likelier.
            text += host.randomBytes(count).filter { $0 < 248 }.map { alphabet[Int($0) % 62] }
        }
        return String(decoding: text.prefix(count), as: UTF8.self)
    }

    /// RFC 7636, section 4.2.
    private static func challenge(of verifier: String) -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        let bytes = Array(verifier.utf8)
        SHA256(bytes, bytes.count, &digest)
        var text: [UInt8] = []
        Base64URL.encode(digest, into: &text)
        return String(decoding: text, as: UTF8.self)
    }

    // MARK: - Signing in

    func finish(_ attempt: AuthAttempt) throws -> AuthProof {
        let form = try SignInForm(attempt)
        guard let configured = ConfiguredProvider(form.options) else {
            throw ServiceError(status: 500, message: "Failed to init provider \(form.provider)")
        }
        let (token, account, document) = try visit(configured, form)
        let link = try attempt.records.list(
            "_externalAuths", filter: "collectionRef = {:c} && provider = {:p} && providerId = {:i}",
            parameters: ["c": .string(attempt.collection), "p": .string(form.provider), "i": .string(account.id)],
            limit: 1
        ).first
        let known = try find(link, account, attempt)
        let avatar = known == nil ? Avatar(form.collection, account, log: host.log) : nil
        let record = try attempt.records.transaction { records in
            let record: Record
            if let known {
                record = try update(known, account, isThemselves: isSame(known, attempt.request.auth), records)
            } else {
                record = try create(form, account, avatar, attempt, records)
            }
            // The link of a record that nobody had verified went with what was there before.
            let isLinked = try link.map { try records.find("_externalAuths", id: $0.id) != nil } ?? false
            if !isLinked { try connect(record, form.provider, account, records) }
            return record.id
        }
        guard let record = try attempt.records.find(attempt.collection, id: record) else {
            throw ServiceError.badRequest("Failed to authenticate.")
        }
        return AuthProof(record, meta: meta(token, account, document, isNew: known == nil))
    }

    private func isSame(_ record: Record, _ auth: Record?) -> Bool {
        auth?.id == record.id && auth?.collectionID == record.collectionID
    }

    private func visit(
        _ configured: ConfiguredProvider, _ form: SignInForm
    ) throws -> (AccessToken, Account, JSON) {
        let client = ProviderClient()
        let token: AccessToken
        do {
            token = try configured.exchange(
                code: form.code, verifier: form.verifier, redirectURL: form.redirectURL, with: client)
        } catch let error as ProviderError {
            host.log.warn("The OAuth2 provider \(form.provider) gives no token.", ["error": .string(error.reason)])
            throw ServiceError.badRequest("Failed to fetch OAuth2 token.")
        }
        do {
            var (account, document) = try Session(configured: configured, token: token, client: client).account()
            if form.provider == "apple", account.name.isEmpty { account.name = names.take(form.code) }
            return (token, account, document)
        } catch let error as ProviderError {
            host.log.warn("The OAuth2 provider \(form.provider) gives no account.", ["error": .string(error.reason)])
            throw ServiceError.badRequest("Failed to fetch OAuth2 user.")
        }
    }

    /// Whose account it is: who is linked with it, who is signed in, or who has its address.
    private func find(_ link: Record?, _ account: Account, _ attempt: AuthAttempt) throws -> Record? {
        let records = attempt.records
        if let link {
            guard let record = try records.find(attempt.collection, id: link.text("recordRef")) else {
                throw ServiceError.notFound()
            }
            return record
        }
        if let auth = attempt.request.auth, auth.collectionID == attempt.collection { return auth }
        guard !account.email.isEmpty else { return nil }
        let indexes = try records.collection(attempt.collection)?["indexes"]?.arrayValue ?? []
        let index = indexes.lazy.compactMap { $0.stringValue.flatMap { UniqueIndex($0) } }.first {
            $0.column == "email"
        }
        return try records.first(
            attempt.collection, where: "email", is: .text(account.email), ignoreCase: index?.ignoresCase ?? false)
    }

    /// Somebody new: made as the client itself would have signed up.
    private func create(
        _ form: SignInForm, _ account: Account, _ avatar: Avatar?, _ attempt: AuthAttempt, _ records: Records
    ) throws -> Record {
        guard form.collection["name"]?.stringValue != "_superusers" else {
            throw ServiceError.badRequest("Failed to authenticate.")
        }
        var body = form.createData
        func map(_ option: String, _ value: String) {
            guard let field = form.collection["oauth2"]?["mappedFields"]?[option]?.stringValue, !field.isEmpty,
                body[field] == nil
            else { return }
            body[field] = .string(value)
        }
        if (body["email"]?.stringValue ?? "").isEmpty { body["email"] = .string(account.email) }
        map("id", account.id)
        map("name", account.name)
        if try isFree(account.username, form.collection, records) { map("username", account.username) }
        var uploads: [RecordUpload] = []
        switch avatar {
        case .address(let url): map("avatarURL", url)
        case .file(let upload): if body[upload.field] == nil { uploads.append(upload) }
        case nil: break
        }
        let record = try records.create(
            in: attempt.collection, as: attempt.request, context: "oauth2", body: body, uploads: uploads)
        if record.text("email").isSame(as: account.email), record["verified"] != .bool(true) {
            try record.set("verified", .bool(true))
            try records.save(record)
        }
        return record
    }

    /// Whether a name fits the field that it is for, and nobody has it.
    private func isFree(_ username: String, _ collection: JSON, _ records: Records) throws -> Bool {
        guard let name = collection["oauth2"]?["mappedFields"]?["username"]?.stringValue, !name.isEmpty,
            let field = collection["fields"]?.arrayValue?.first(where: { $0["name"]?.stringValue == name })
        else { return false }
        if field["type"]?.stringValue == "text", !UsernameRules(field).admit(username, records) { return false }
        let indexes = (collection["indexes"]?.arrayValue ?? []).compactMap {
            $0.stringValue.flatMap { UniqueIndex($0) }
        }
        guard let index = indexes.first(where: { $0.column == name }) else { return true }
        let id = collection["id"]?.stringValue ?? ""
        return try records.first(id, where: name, is: .text(username), ignoreCase: index.ignoresCase) == nil
    }

    /// Somebody who is there already. Whoever made a record with an address that was not theirs must not get in once its
    /// owner comes: the password is replaced, and other accounts are taken away from it.
    private func update(
        _ known: Record, _ account: Account, isThemselves: Bool, _ records: Records
    ) throws -> Record {
        guard let record = try records.find(known.collectionID, id: known.id) else {
            throw ServiceError.badRequest("Failed to authenticate.")
        }
        let isVerified = record["verified"] == .bool(true)
        var isChanged = false
        if !isVerified {
            if !isThemselves {
                try record.set("password", .text(random(60)))
                isChanged = true
            }
            for link in try records.list(
                "_externalAuths", filter: "collectionRef = {:c} && recordRef = {:r}",
                parameters: ["c": .string(record.collectionID), "r": .string(record.id)], limit: 1000)
            { try records.delete(link) }
        }
        let takesAddress = record.text("email").isEmpty && !account.email.isEmpty
        if takesAddress {
            try record.set("email", .text(account.email))
            isChanged = true
        }
        if !isVerified, record.text("email").isEmpty || record.text("email").isSame(as: account.email) {
            try record.set("verified", .bool(true))
            isChanged = true
        }
        // What a collection asks of passwords is meant for those that people choose. An address of the provider's is checked.
        if isChanged { try records.save(record, unchecked: !isVerified && !isThemselves && !takesAddress) }
        return record
    }

    private func connect(_ record: Record, _ provider: String, _ account: Account, _ records: Records) throws {
        let link = try records.create(in: "_externalAuths")
        try link.set("collectionRef", .text(record.collectionID))
        try link.set("recordRef", .text(record.id))
        try link.set("provider", .text(provider))
        try link.set("providerId", .text(account.id))
        do {
            try records.save(link)
        } catch let error as HostError where error.isRefusal {
            throw ServiceError.badRequest("Failed to authenticate.")
        }
    }

    /// What the client learns of the account, in the order of the names.
    private func meta(_ token: AccessToken, _ account: Account, _ document: JSON, isNew: Bool) -> JSONObject {
        [
            "accessToken": .string(token.access), "avatarURL": .string(account.avatarURL),
            "avatarUrl": .string(account.avatarURL), "email": .string(account.email), "expiry": .string(token.expiry),
            "id": .string(account.id), "isNew": .bool(isNew), "name": .string(account.name), "rawUser": document,
            "refreshToken": .string(token.refresh), "username": .string(account.username),
        ]
    }
}

/// What a client sends to sign in.
struct SignInForm {
    let provider: String
    let code: String
    let verifier: String
    let redirectURL: String
    let createData: JSONObject
    /// The provider's options in the collection.
    let options: JSON
    let collection: JSON

    /// - Throws: 400 for what is not right.
    init(_ attempt: AuthAttempt) throws {
        let form = try Form(attempt.request)
        provider = try form.text("provider")
        code = try form.text("code")
        verifier = try form.text("codeVerifier")
        let (address, old) = (try form.text("redirectURL"), try form.text("redirectUrl"))
        redirectURL = address.isEmpty ? old : address
        createData = try form.object("createData")
        let known = attempt.options["providers"]?.arrayValue ?? []
        let name = provider
        let options = known.first { $0["name"]?.stringValue == name }
        var failures: [String: Failure] = [:]
        if name.isEmpty {
            failures["provider"] = .required
        } else if name.utf8.count > 100 {
            failures["provider"] = Failure(
                "validation_length_too_long", "The length must be no more than 100.", params: ["max": 100, "min": 0])
        } else if options == nil {
            failures["provider"] = Failure(
                "validation_invalid_provider", "Provider with name \(name) is missing or is not enabled.",
                params: ["name": .string(name)])
        }
        if code.isEmpty { failures["code"] = .required }
        guard failures.isEmpty, let options else {
            throw ServiceError.badRequest(
                "An error occurred while loading the submitted data.", fields: failures)
        }
        guard let collection = try attempt.records.collection(attempt.collection) else { throw ServiceError.notFound() }
        self.options = options
        self.collection = collection
    }
}

/// What the settings of a text field have against a name.
struct UsernameRules {
    private let min: Int
    private let max: Int
    private let pattern: String
    private let isRequired: Bool

    init(_ field: JSON) {
        isRequired = field["required"]?.boolValue ?? false
        min = field["min"]?.intValue ?? 0
        let most = field["max"]?.intValue ?? 0
        max = most > 0 ? most : 5000
        pattern = field["pattern"]?.stringValue ?? ""
    }

    func admit(_ name: String, _ records: Records) -> Bool {
        guard !name.isEmpty else { return !isRequired }
        let length = name.unicodeScalars.count
        if length < min || length > max { return false }
        guard !pattern.isEmpty else { return true }
        return (try? records.compile(pattern))?.matches(name) ?? false
    }
}
