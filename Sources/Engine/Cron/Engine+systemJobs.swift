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
    }

    private func addSystemJob(_ id: String, _ expression: String, _ run: @escaping @Sendable () throws -> Void) {
        guard let schedule = try? CronSchedule(expression) else { return }
        crons.add(CronJob(id: id, schedule: schedule, run: run))
    }
}
