import PluginKit

/// Clears away sessions and one-time passwords that are over, under PocketBase's names for the two jobs.
struct CleanUp: Sendable {
    let collections: AuthCollections

    func add(to host: Host) throws {
        try host.cron("__pbMFACleanup__", "0 * * * *") { try clear("_mfas", $0) { $0.mfa.duration } }
        try host.cron("__pbOTPCleanup__", "0 * * * *") { try clear("_otps", $0) { $0.otp.duration } }
    }

    /// Deletes what is older than its collection lets it be; also where the collection does not use it any more, or is
    /// gone.
    private func clear(_ name: String, _ records: Records, _ duration: (AuthCollection) -> Int) throws {
        var kept = 0
        while true {
            let page = try records.list(name, sort: "created,id", offset: kept, limit: 500)
            let now = DateTime.now().seconds
            for row in page {
                let collection = try collections.find(row.text("collectionRef"), records)
                let age = now - DateTime(parsing: row.text("created")).seconds
                if let collection, collection.isAuth, age <= Int64(duration(collection)) {
                    kept += 1
                    continue
                }
                do {
                    try records.delete(row)
                } catch let error as HostError where error.isNotFound || error.isRefusal {
                    // Used meanwhile, which deletes it too.
                }
            }
            if page.count < 500 { return }
        }
    }
}
