import JSON
import Testing

@testable import Engine
@testable import PluginHost

extension AllTests {
    @Suite("Jobs of plugins")
    struct CronTableTests {
        private let lines = LogLines()

        private func host(_ flags: [String]) throws -> (Fixture, PluginHost, String) {
            try Fixture.host(flags: flags) { [lines] services in
                services.crons = CronScheduler { level, message, data in
                    lines.add("\(level) \(data["job"]?.stringValue ?? "") \(data["error"]?.stringValue ?? "")")
                }
            }
        }

        @Test("jobs are added while registering and later, run, fail, and are removed")
        func jobs() throws {
            let (_, host, library) = try host(["CRON"])
            let crons = try #require(host.services.crons)
            crons.add(CronJob(id: "__pbLogsCleanup__", schedule: try CronSchedule("@daily")) {})
            #expect(host.start().problems.isEmpty)
            #expect(
                crons.jobs.map { "\($0.id) \($0.schedule.expression)" } == [
                    "__pbLogsCleanup__ 0 0 * * *", "report 0 0 * * *", "late * * * * *",
                ])
            #expect(crons.run("report"))
            #expect(crons.run("late"))
            crons.stop()
            #expect(Compiler.call("fixture_job_runs", in: library) == 2)
            #expect(lines.all.count == 1)
            #expect(lines.all.first?.hasPrefix("error late ") == true)
            #expect(lines.all.first?.contains("no paper") == true)
        }

        @Test("a schedule that is none leaves the plugin out and says why")
        func badSchedule() throws {
            let (_, host, _) = try host(["BAD_CRON"])
            let report = host.start()
            #expect(report.lines.contains { $0.contains("The schedule of the job \"broken\" cannot be used") })
            #expect(host.services.crons?.jobs.isEmpty == true)
        }

        @Test("the jobs of a plugin that does not start are gone")
        func failedStart() throws {
            let (_, host, _) = try host(["CRON", "START_FAILS"])
            host.start()
            #expect(host.services.crons?.jobs.isEmpty == true)
        }
    }
}
