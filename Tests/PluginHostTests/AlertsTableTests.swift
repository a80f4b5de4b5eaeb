import JSON
import PluginABI
import Testing

@testable import Engine
@testable import PluginHost

extension AllTests {
    @Suite("Alerts")
    struct AlertsTableTests {
        private let lines = LogLines()

        private func host(_ flags: [String]) throws -> (Fixture, PluginHost, String) {
            try Fixture.host(flags: flags) { [lines] services in
                services.alerts = Alerts { level, message, data in
                    lines.add("\(level) \(message) \(data["error"]?.stringValue ?? "")")
                }
            }
        }

        private func alert(_ details: String) -> Alert { Alert(kind: "test", subject: "A test", details: details) }

        @Test("a plugin hears the server's alerts and those of plugins; its failure is logged")
        func told() throws {
            let (_, host, library) = try host(["ALERTS"])
            let alerts = try #require(host.services.alerts)
            #expect(host.start().problems.isEmpty)
            #expect(alerts.raise(alert("All is well.")))
            #expect(Compiler.call("fixture_raise", in: library) == ROOST_OK)
            #expect(alerts.raise(alert("They fail.")))
            alerts.stop()
            #expect(Compiler.call("fixture_alerts_told", in: library) == 3)
            #expect(lines.all.count == 1)
            #expect(lines.all.first?.hasPrefix("warn An alert could not be sent. ") == true)
            #expect(lines.all.first?.contains("nobody is at home") == true)
            // The server is ending.
            #expect(!alerts.raise(alert("Too late.")))
            #expect(lines.all.last?.hasPrefix("warn An alert was not sent.") == true)
            #expect(Compiler.call("fixture_raise", in: library) == ROOST_EFAILED)
            #expect(Compiler.call("fixture_alerts_told", in: library) == 3)
        }

        @Test("outside of a server nothing is told")
        func noServer() throws {
            let (_, host, library) = try host(["ALERTS"])
            host.services.alerts = nil
            #expect(host.start().problems.isEmpty)
            #expect(Compiler.call("fixture_raise", in: library) == ROOST_EUNSUPPORTED)
        }

        @Test("a plugin that does not start, or was stopped, hears of none")
        func failedStart() throws {
            let (_, failing, library) = try host(["ALERTS", "START_FAILS"])
            failing.start()
            failing.services.alerts?.raise(alert("Nobody hears this."))
            failing.services.alerts?.stop()
            #expect(Compiler.call("fixture_alerts_told", in: library) == 0)
            let (_, stopping, other) = try host(["ALERTS"])
            stopping.start()
            stopping.stop()
            stopping.services.alerts?.raise(alert("Nor this."))
            stopping.services.alerts?.stop()
            #expect(Compiler.call("fixture_alerts_told", in: other) == 0)
        }

        @Test("so many at the same time and no more")
        func limit() {
            let alerts = Alerts { [lines] level, message, _ in lines.add("\(level) \(message)") }
            let gate = ConditionBox()
            let told = LogLines()
            let isOpen = LogLines()
            alerts.listen { alert in
                _ = gate.wait(seconds: 30) { !isOpen.all.isEmpty }
                told.add(alert.details)
            }
            let taken = (0..<40).count { alerts.raise(alert("\($0)")) }
            #expect(taken == 16)
            #expect(lines.all.count == 24)
            isOpen.add("open")
            gate.broadcast()
            alerts.stop()
            #expect(told.all.count == 16)
        }
    }
}
