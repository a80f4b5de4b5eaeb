import Store

extension Engine {
    /// Adds the jobs that keep the databases small and quick.
    func addSystemJobs() {
        addSystemJob("__pbLogsCleanup__", "0 */6 * * *") { [logs] in try logs.deleteOld() }
        addSystemJob("__pbDBOptimize__", "0 0 * * *") { [data, auxiliary] in
            try data.checkpoint()
            try auxiliary.checkpoint()
            try data.maintain { try $0.execute("PRAGMA optimize") }
        }
        // PocketBase has this one from the first request that is counted until the settings change.
        limiter.onUse { [weak self] isUsed in
            let id = "__pbRateLimitersCleanup__"
            guard let self else { return }
            if isUsed {
                addSystemJob(id, "2 * * * *") { [limiter] in limiter.removeExpired() }
            } else {
                crons.remove(id)
            }
        }
    }

    private func addSystemJob(_ id: String, _ expression: String, _ run: @escaping @Sendable () throws -> Void) {
        guard let schedule = try? CronSchedule(expression) else { return }
        crons.add(CronJob(id: id, schedule: schedule, run: run))
    }
}
