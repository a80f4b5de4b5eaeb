import JSON

extension Engine {
    private static let autoBackup = "__pbAutoBackup__"

    /// Adds, changes or removes the job that makes backups by the clock, as the settings say.
    func scheduleBackups(_ settings: Settings.Backups) {
        guard !settings.cron.isEmpty, let schedule = try? CronSchedule(settings.cron) else {
            crons.remove(Self.autoBackup)
            return
        }
        let current = crons.jobs.first { $0.id == Self.autoBackup }
        if current?.schedule == schedule { return }
        crons.add(
            CronJob(id: Self.autoBackup, schedule: schedule) { [weak self] in
                guard let self else { return }
                defer {
                    do { try removeOldBackups() } catch {
                        logs.write(.error, "Old backups could not be removed.", ["error": .string("\(error)")])
                    }
                }
                try backups.create(prefix: BackupName.automatic)
            })
    }

    /// Keeps the youngest of the backups made by the clock; 0 keeps all.
    private func removeOldBackups() throws {
        let kept = settings.current.backups.cronMaxKeep
        guard kept > 0 else { return }
        let made = try backups.list().filter { $0.key.hasPrefix(BackupName.automatic) }
        for old in made.sorted(by: { $0.modifiedMilliseconds > $1.modifiedMilliseconds }).dropFirst(kept) {
            do {
                try backups.remove(old.key)
            } catch {
                logs.write(
                    .error, "An old backup could not be removed.",
                    ["key": .string(old.key), "error": .string("\(error)")])
            }
        }
    }
}
