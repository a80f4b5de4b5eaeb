internal import Engine
internal import PluginABI

/// A job that a plugin has run by the clock.
struct PluginJob: Sendable {
    let plugin: LoadedPlugin
    let id: String
    let schedule: CronSchedule
    let user: PluginUser
    let run: roost_cron_run

    /// The same for the scheduler.
    var job: CronJob {
        CronJob(id: id, schedule: schedule, owner: plugin.id) {
            // A plugin that failed to start, or was stopped, is not called any more.
            guard plugin.phase == .running else { return }
            try ThreadRole.with(.worker) {
                try withCall(plugin) { call in
                    let status = run(user.pointer, call.pointer)
                    if status < 0 { throw call.error(status) }
                }
            }
        }
    }
}
