import PluginKit

/// Signing in with a password that comes by mail and counts once: `request-otp` and `auth-with-otp`.
final class OneTimePasswordMethod: AuthMethod {
    let name = "otp"
    let title = "OTP"
    let defaults = JSONObject()
    let begins = true
    private let collections: AuthCollections
    private let mails: AuthMails
    private let attempts = AttemptLimit()

    /// Open passwords of one record; further requests get the last one's id again.
    private static let maxOpen = 10
    /// bcrypt's, of the passwords in `_otps`.
    private static let hashCost = 8

    init(_ collections: AuthCollections, _ mails: AuthMails) {
        self.collections = collections
        self.mails = mails
    }

    private func collection(_ attempt: AuthAttempt) throws -> AuthCollection {
        guard let collection = try collections.find(attempt.collection, attempt.records) else {
            throw ServiceError.notFound()
        }
        return collection
    }

    func describe(_ options: JSONObject) -> JSONObject {
        let isOn = options["enabled"]?.boolValue ?? false
        return ["enabled": .bool(isOn), "duration": isOn ? options["duration"] ?? 0 : 0]
    }

    // MARK: - Asking

    func begin(_ attempt: AuthAttempt) throws -> JSONObject {
        let collection = try collection(attempt)
        let request = attempt.request
        let email = try Form(request).email("email")
        guard let record = try collection.record(email: email, request.records) else {
            // The same work and the same answer as for somebody who is there.
            try Bcrypt.pretend(cost: Self.hashCost)
            return Self.answer(request.host.randomText(15, of: Alphabet.id))
        }
        if let open = try lastOfTooMany(record, collection, request.records) { return Self.answer(open) }
        let password = request.host.randomText(max(collection.otpLength, 1), of: Alphabet.digits)
        let otp = try OneTimePassword.make(password, for: record, request.records)
        let message = try mails.compose(
            .oneTimePassword, record, collection, values: ["{OTP}": password, "{OTP_ID}": otp.id],
            meta: ["otpId": .string(otp.id), "password": .string(password)], request.records)
        let (id, address, log) = (otp.id, record.text("email"), request.host.log)
        mails.queue(message, "OTP", request.records) { isSent, records in
            do {
                guard let otp = try records.find(OneTimePassword.collection, id: id) else { return }
                guard isSent else { return try records.delete(otp) }
                guard otp.text("sentTo").isEmpty else { return }
                try otp.set("sentTo", .text(address))
                try records.save(otp)
            } catch {
                log.error("A sent OTP was not noted", ["error": .string("\(error)"), "otpId": .string(id)])
            }
        }
        return Self.answer(otp.id)
    }

    private static func answer(_ id: String) -> JSONObject { ["otpId": .string(id)] }

    private func lastOfTooMany(
        _ record: Record, _ collection: AuthCollection, _ records: Records
    ) throws -> String? {
        let known = try records.list(
            OneTimePassword.collection, filter: "collectionRef = {:collection} && recordRef = {:record}",
            sort: "-created", parameters: ["collection": .string(collection.id), "record": .string(record.id)],
            limit: 100)
        let open = known.filter { !OneTimePassword.isOver($0, collection) }
        guard open.count >= Self.maxOpen, let last = open.first else { return nil }
        records.host.log.warn(
            "Too many OTP requests - reusing the last issued",
            ["recordId": .string(record.id), "otpId": .string(last.id)])
        return last.id
    }

    // MARK: - Signing in

    private static let refusal = ServiceError.badRequest("Invalid or expired OTP")

    func finish(_ attempt: AuthAttempt) throws -> AuthProof {
        let collection = try collection(attempt)
        let request = attempt.request
        let form = try Form(request)
        let (id, password) = (try form.text("otpId"), try form.text("password"))
        var failures: [String: Failure] = [:]
        failures["otpId"] = .length(id, 1...255)
        failures["password"] = .length(password, 1...71)
        if let invalid = ServiceError.invalidForm(failures) { throw invalid }
        let records = request.records
        guard let otp = try records.find(OneTimePassword.collection, id: id),
            otp.text("collectionRef") == collection.id, !OneTimePassword.isOver(otp, collection),
            let record = try records.find(collection.id, id: otp.text("recordRef"))
        else {
            try Bcrypt.pretend(cost: Self.hashCost)
            throw Self.refusal
        }
        guard attempts.take(record.id) else {
            throw ServiceError.tooManyRequests("Too many attempts, please try again later with a new OTP.")
        }
        guard try Bcrypt.verify(password, otp.text("password"), cost: Self.hashCost) else { throw Self.refusal }
        // Whoever deletes it has used it: of several requests with one password only one gets in.
        let address = otp.text("sentTo")
        do {
            try records.delete(otp)
        } catch let error as HostError where error.isNotFound || error.isRefusal {
            throw Self.refusal
        }
        try verify(record, collection, address: address, request)
        guard let current = try records.find(collection.id, id: record.id) else { throw Self.refusal }
        return AuthProof(current)
    }

    /// Who read the mail has the address it went to.
    private func verify(
        _ record: Record, _ collection: AuthCollection, address: String, _ request: HTTPRequest
    ) throws {
        guard !record.bool("verified"), !address.isEmpty, record.text("email") == address else { return }
        try record.set("verified", .bool(true))
        // Somebody else may have made the account with a password of theirs, in wait of the address's owner.
        if !collection.mfa.isEnabled { try record.set("password", .text(request.host.randomText(30))) }
        do {
            try request.records.save(record)
        } catch {
            request.host.log.error(
                "Failed to update record verified state after successful OTP validation",
                ["error": .string("\(error)"), "recordId": .string(record.id)])
        }
    }
}
