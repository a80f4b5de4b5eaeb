import AuthForms
import PluginKit

extension Failure {
    static let invalidToken = Failure("validation_invalid_token", "Invalid or expired token.")
    static let tokenOfOtherCollection = Failure(
        "validation_token_collection_mismatch", "The provided token is for different auth collection.")

    /// What is wrong with the length of a text, in bytes.
    static func length(_ text: String, _ range: ClosedRange<Int>) -> Failure? {
        if text.isEmpty { return .required }
        if range.contains(text.utf8.count) { return nil }
        return Failure(
            "validation_length_out_of_range",
            "The length must be between \(range.lowerBound) and \(range.upperBound).",
            params: ["max": .number(Double(range.upperBound)), "min": .number(Double(range.lowerBound))])
    }

    /// What is wrong with an e-mail address.
    static func email(_ text: String) -> Failure? {
        if let failure = length(text, 1...255) { return failure }
        return EmailSyntax.isAddress(text)
            ? nil : Failure("validation_is_email", "Must be a valid email address.")
    }
}

extension Form {
    /// An e-mail address that has to be there.
    ///
    /// - Throws: 400 when it is none.
    func email(_ name: String) throws -> String {
        let text = try text(name)
        if let failure = Failure.email(text), let invalid = ServiceError.invalidForm([name: failure]) { throw invalid }
        return text
    }
}

extension HTTPRequest {
    /// Saves a record.
    ///
    /// - Parameter message: of the answer when it is not valid; the fields' failures are added.
    func save(_ record: Record, or message: String) throws {
        do {
            try records.save(record)
        } catch let error as HostError where error.isRefusal {
            throw ServiceError.badRequest(message)
        }
    }
}

extension AuthCollection {
    /// The record of an e-mail address, in any case where the collection's index does not tell cases apart.
    func record(email: String, _ records: Records) throws -> Record? {
        try records.first(id, where: "email", is: .text(email), ignoreCase: uniqueFields["email"] ?? false)
    }
}

enum Alphabet {
    static let digits = Array("1234567890".utf8)
    static let id = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
    static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
}

extension Host {
    /// Random text, every character as likely as the others.
    func randomText(_ count: Int, of alphabet: [UInt8] = Alphabet.letters) -> String {
        let limit = 256 - 256 % alphabet.count
        var text: [UInt8] = []
        while text.count < count {
            for byte in randomBytes(count * 2) where Int(byte) < limit && text.count < count {
                text.append(alphabet[Int(byte) % alphabet.count])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
