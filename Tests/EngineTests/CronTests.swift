import JSON
import Synchronization
import Testing

@testable import Engine

@Suite("Crons")
struct CronTests {
    private final class Recorder: Sendable {
        private let kept = Mutex<[String]>([])
        var all: [String] { kept.withLock { $0 } }
        func add(_ text: String) { kept.withLock { $0.append(text) } }
    }

    private let lines = Recorder()

    private func scheduler() -> CronScheduler {
        CronScheduler { [lines] level, message, data in
            lines.add("\(level) \(message) \(JSON.object(data).serialized())")
        }
    }

    private func job(
        _ id: String, _ expression: String = "* * * * *", owner: String = "",
        _ run: @escaping @Sendable () throws -> Void = {}
    ) throws -> CronJob {
        CronJob(id: id, schedule: try CronSchedule(expression), owner: owner, run: run)
    }

    @Test("each minute comes once")
    func steadyClock() {
        var clock = CronClock(minute: 100)
        #expect(clock.advance(to: 100) == nil)
        #expect(clock.advance(to: 101) == 101...101)
        #expect(clock.advance(to: 101) == nil)
    }

    @Test("few missed minutes are made up for, many are not")
    func clockAhead() {
        var clock = CronClock(minute: 100)
        #expect(clock.advance(to: 105) == 101...105)
        #expect(clock.advance(to: 111) == 111...111)
        #expect(clock.advance(to: 1_000_000) == 1_000_000...1_000_000)
    }

    @Test("a clock set back repeats nothing, unless it was far wrong")
    func clockBack() {
        var clock = CronClock(minute: 100)
        #expect(clock.advance(to: 70) == nil)
        #expect(clock.advance(to: 100) == nil)
        #expect(clock.advance(to: 101) == 101...101)
        #expect(clock.advance(to: 41) == nil)
        #expect(clock.advance(to: 42) == 42...42)
    }

    @Test("a macro is shown as what it stands for, and due at its minutes of UTC")
    func schedules() throws {
        let daily = try CronSchedule("@daily")
        #expect(daily.expression == "0 0 * * *")
        // 2024-02-29 00:00 was a Thursday.
        let minute: Int64 = 1_709_164_800 / 60
        #expect(daily.isDue(inMinute: minute))
        #expect(!daily.isDue(inMinute: minute + 1))
        #expect(try CronSchedule("0 0 29 2 4").isDue(inMinute: minute))
        #expect(try !CronSchedule("0 0 29 2 5").isDue(inMinute: minute))
    }

    @Test("a job runs once for all the minutes it is due in")
    func due() throws {
        let crons = scheduler()
        crons.add(try job("a", "* * * * *") { [lines] in lines.add("a") })
        crons.add(try job("b", "59 23 31 12 *") { [lines] in lines.add("b") })
        crons.runDue(0...4)
        crons.stop()
        #expect(lines.all == ["a"])
    }

    @Test("a job that still runs is not started again, and one that fails runs again")
    func overlapAndFailure() throws {
        let crons = scheduler()
        let isFree = Mutex(false)
        let wakeup = ConditionBox()
        crons.add(
            try job("slow") { [lines] in
                lines.add("slow")
                _ = wakeup.wait(seconds: 10) { isFree.withLock { $0 } }
            })
        #expect(crons.run("slow"))
        crons.runDue(1...1)
        isFree.withLock { $0 = true }
        wakeup.broadcast()
        struct Oops: Error {}
        crons.add(try job("bad") { throw Oops() })
        #expect(crons.run("bad"))
        #expect(!crons.run("none"))
        crons.stop()
        #expect(
            lines.all.sorted() == [
                #"error A cron job failed. {"job":"bad","error":"Oops()"}"#, "slow",
                #"warn A cron job was skipped: it is still running. {"job":"slow"}"#,
            ])
        // Stopped: nothing more is started.
        crons.runDue(2...2)
        #expect(lines.all.count == 3)
    }

    @Test("a job replaces its owner's of that id, and no one else's")
    func owners() throws {
        let crons = scheduler()
        #expect(crons.add(try job("a", "@hourly")))
        #expect(crons.add(try job("b", owner: "x")))
        #expect(crons.add(try job("a", "@daily")))
        #expect(!crons.add(try job("a", owner: "x")))
        #expect(crons.jobs.map(\.id) == ["b", "a"])
        #expect(crons.jobs.last?.schedule.expression == "0 0 * * *")
        #expect(crons.remove("a"))
        #expect(!crons.remove("a"))
        crons.removeAll(of: "x")
        #expect(crons.jobs.isEmpty)
    }
}
