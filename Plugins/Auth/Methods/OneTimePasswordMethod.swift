import AuthForms
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

    private let issued = IssuedPasswords()

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
        let record = try collection.record(email: email, request.records)
        // The same look-up for somebody who is not there, and nothing else before the answer: a password is made, kept and
        // sent afterwards, so that the time tells nothing.
        let known = try openPasswords(of: record?.id ?? "", collection, request.records)
        let id = request.host.randomText(15, of: Alphabet.id)
        guard let record else { return Self.answer(id) }
        let recordID = record.id
        if let last = issued.reserve(id, for: recordID, known: known) {
            request.host.log.warn(
                "Too many OTP requests - reusing the last issued",
                ["recordId": .string(recordID), "otpId": .string(last)])
            return Self.answer(last)
        }
        let host = request.host
        let fail: @Sendable (any Error) -> Void = { error in
            host.log.error("Failed to create an OTP", ["error": .string("\(error)"), "recordId": .string(recordID)])
        }
        do {
            try host.runOnWorker { [self] records in
                do { try issue(id, to: recordID, collection, records) } catch { fail(error) }
                issued.release(id, of: recordID)
            }
        } catch {
            issued.release(id, of: recordID)
            fail(error)
        }
        return Self.answer(id)
    }

    /// Makes a password, keeps its hash and sends it.
    private func issue(_ id: String, to recordID: String, _ collection: AuthCollection, _ records: Records) throws {
        guard let record = try records.find(collection.id, id: recordID) else { return }
        let (host, address) = (records.host, record.text("email"))
        let password = host.randomText(max(collection.otpLength, 1), of: Alphabet.digits)
        _ = try OneTimePassword.make(password, for: record, id: id, records)
        let message = try mails.compose(
            .oneTimePassword, record, collection, values: ["{OTP}": password, "{OTP_ID}": id],
            meta: ["otpId": .string(id), "password": .string(password)], records)
        mails.queue(message, "OTP", records) { isSent, records in
            do {
                guard let otp = try records.find(OneTimePassword.collection, id: id) else { return }
                guard isSent else { return try records.delete(otp) }
                guard otp.text("sentTo").isEmpty else { return }
                try otp.set("sentTo", .text(address))
                try records.save(otp)
            } catch {
                host.log.error("A sent OTP was not noted", ["error": .string("\(error)"), "otpId": .string(id)])
            }
        }
    }

    private static func answer(_ id: String) -> JSONObject { ["otpId": .string(id)] }

    /// The ids of a record's passwords that still count, the latest first.
    private func openPasswords(
        of recordID: String, _ collection: AuthCollection, _ records: Records
    ) throws -> [String] {
        let known = try records.list(
            OneTimePassword.collection, filter: "collectionRef = {:collection} && recordRef = {:record}",
            sort: "-created", parameters: ["collection": .string(collection.id), "record": .string(recordID)],
            limit: 100)
        return known.filter { !OneTimePassword.isOver($0, collection) }.map(\.id)
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
        guard !record.bool("verified"), !address.isEmpty, record.text("email").isSame(as: address) else { return }
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
