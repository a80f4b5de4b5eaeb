import PluginKit

/// Records of `_otps`.
enum OneTimePassword {
    static let collection = "_otps"

    /// - Parameter id: nil for one that is made.
    static func make(
        _ password: String, for record: Record, id: String? = nil, _ records: Records
    ) throws -> Record {
        let otp = try records.create(in: collection)
        if let id { try otp.set("id", .text(id)) }
        try otp.set("collectionRef", .text(record.collectionID))
        try otp.set("recordRef", .text(record.id))
        try otp.set("password", .text(password))
        try records.save(otp)
        return otp
    }

    static func isOver(_ otp: Record, _ collection: AuthCollection) -> Bool {
        let created = DateTime(parsing: otp.text("created"))
        return DateTime.now().seconds - created.seconds > Int64(collection.otp.duration)
    }
}
