internal import PluginABI

extension Host {
    /// Has work done by the clock. While registering or later; a job of the plugin's with that id is replaced.
    ///
    ///     try host.cron("org.example.report", "0 6 * * 1-5") { records in
    ///         …
    ///     }
    ///
    /// - Parameters:
    ///   - id: shown to users, who may run the job by it.
    ///   - schedule: minute, hour, day, month, day of the week in UTC, or a macro such as `@daily`.
    ///   - run: gets the records. Runs on a thread of its own, never twice at once. What it throws is logged.
    /// - Throws: ``HostError`` for a schedule that is none or an id that is another's.
    public func cron(
        _ id: String, _ schedule: String, run: @escaping @Sendable (Records) throws -> Void
    ) throws {
        guard let table = table(ROOST_TABLE_CRON)?.assumingMemoryBound(to: roost_cron_v1.self) else {
            throw HostError.denied(ROOST_TABLE_CRON)
        }
        let box = Unmanaged.passRetained(CronBox(self, run))
        var job = roost_cron_job_v1()
        job.user = box.toOpaque()
        job.run = { user, raw in
            guard let user, let raw else { return ROOST_EINVALID }
            let box = Unmanaged<CronBox>.fromOpaque(user).takeUnretainedValue()
            let call = Call(raw, box.host)
            return call.run { try box.run(Records(call)) }
        }
        job.free = { user in
            if let user { Unmanaged<CronBox>.fromOpaque(user).release() }
        }
        // While registering the call is told what is wrong with a schedule.
        let call = try? registrationCall()
        let status = id.withRoostBytes { id in
            schedule.withRoostBytes { schedule in
                job.id = id
                job.schedule = schedule
                return withUnsafePointer(to: job) { table.pointee.add?(raw, call?.raw, $0) }
            }
        }
        if (status ?? ROOST_EUNSUPPORTED) < 0 { box.release() }
        try check(status)
    }

    /// Removes a job, whoever added it; one that is running finishes.
    ///
    /// - Returns: whether there was one of that id.
    @discardableResult
    public func removeCron(_ id: String) -> Bool {
        guard let table = table(ROOST_TABLE_CRON)?.assumingMemoryBound(to: roost_cron_v1.self) else { return false }
        return id.withRoostBytes { table.pointee.remove?(raw, $0) } == ROOST_OK
    }
}

private final class CronBox: Sendable {
    let host: Host
    let run: @Sendable (Records) throws -> Void

    init(_ host: Host, _ run: @escaping @Sendable (Records) throws -> Void) {
        self.host = host
        self.run = run
    }
}
