internal import Engine
internal import PluginABI
internal import Synchronization

/// "roost.cron/1".
enum CronTable {
    static func make() -> roost_cron_v1 {
        roost_cron_v1(
            add: { host, call, job in
                guard let plugin = LoadedPlugin.from(host), let job = job?.pointee else { return ROOST_EINVALID }
                guard let id = job.id.text, !id.isEmpty, let run = job.run, let expression = job.schedule.text else {
                    return ROOST_EINVALID
                }
                let schedule: CronSchedule
                do throws(CronSchedule.Failure) {
                    schedule = try CronSchedule(expression)
                } catch {
                    withBytes("The schedule of the job \"\(id)\" cannot be used: \(error.message).") { message in
                        PluginCall.from(call)?.fail(status: 0, code: roost_bytes(), message: message)
                    }
                    return ROOST_EINVALID
                }
                let user = PluginUser(job.user, free: job.free)
                return CronTable.add(PluginJob(plugin: plugin, id: id, schedule: schedule, user: user, run: run))
            },
            remove: { host, id in
                guard let plugin = LoadedPlugin.from(host), let id = id.text else { return ROOST_EINVALID }
                let wasWaiting = plugin.registrations.withLock { registrations in
                    let count = registrations.jobs.count
                    registrations.jobs.removeAll { $0.id == id }
                    return registrations.jobs.count < count
                }
                let wasThere = plugin.services.crons?.remove(id) ?? false
                return wasWaiting || wasThere ? ROOST_OK : ROOST_ENOTFOUND
            })
    }

    /// Jobs of a plugin that is being initialised wait until that went well; later ones go to the scheduler at once.
    private static func add(_ job: PluginJob) -> roost_status {
        let plugin = job.plugin
        switch plugin.phase {
        case .initialising, .waiting:
            let isTaken = plugin.services.accepted.withLock { $0.jobs.contains { $0.id == job.id } }
            if isTaken { return ROOST_ECONFLICT }
            job.user.adopt()
            plugin.registrations.withLock { registrations in
                registrations.jobs.removeAll { $0.id == job.id }
                registrations.jobs.append(job)
            }
        case .starting, .running:
            guard let crons = plugin.services.crons else { return ROOST_EUNSUPPORTED }
            let existing = crons.jobs.first { $0.id == job.id }
            if let existing, existing.owner != plugin.id { return ROOST_ECONFLICT }
            // Lost to another plugin in between, it stays the plugin's.
            guard crons.add(job.job) else { return ROOST_ECONFLICT }
            job.user.adopt()
        case .creating, .failed, .stopped: return ROOST_ETHREAD
        }
        return ROOST_OK
    }
}
