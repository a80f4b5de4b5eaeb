/// Something that is done by the clock.
package struct CronJob: Sendable {
    /// Known to users; those of PocketBase's own jobs begin with `__pb`.
    package let id: String
    package let schedule: CronSchedule
    /// Who added it: empty for the server, else a plugin's id.
    package let owner: String
    /// Runs on a thread of its own, which may wait. What it throws is logged.
    package let run: @Sendable () throws -> Void

    package init(
        id: String, schedule: CronSchedule, owner: String = "", run: @escaping @Sendable () throws -> Void
    ) {
        self.id = id
        self.schedule = schedule
        self.owner = owner
        self.run = run
    }

    /// Whether it is one of the system's.
    package var isSystem: Bool { id.hasPrefix("__pb") }
}
