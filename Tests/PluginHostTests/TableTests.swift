import Engine
import Foundation
import JSON
import Store
import Synchronization
import Testing

@testable import PluginHost

/// A request that keeps its answers.
final class TestRequest: PluginRequestSource {
    let method = "GET"
    let path: String
    let body: [UInt8] = []
    let remoteIP = "127.0.0.1"
    let auth: Record? = nil
    private let state = Mutex<(answers: [String], headers: [String])>(([], []))

    init(_ path: String) { self.path = path }

    var answers: [String] { state.withLock { $0.answers } }
    var headers: [String] { state.withLock { $0.headers } }
    var isOpen: Bool { answers.isEmpty }
    func parameter(_ name: String) -> String? { nil }
    func query(_ name: String) -> String? { name == "q" ? "hällo" : nil }
    func header(_ name: String) -> String? { nil }
    func bodyObject() throws -> JSONObject { JSONObject() }
    func addHeader(_ name: String, _ value: String) { state.withLock { $0.headers.append("\(name): \(value)") } }
    func file(_ key: String, name: String, isDownload: Bool) -> (() -> Void)? { nil }
    func respond(status: Int, contentType: String, body: [UInt8]) {
        state.withLock { $0.answers.append("\(status) \(contentType) \(String(decoding: body, as: UTF8.self))") }
    }
    func respond(_ error: ServiceError) {
        state.withLock { $0.answers.append(error.body.serialized()) }
    }
}

/// An event whose action may fail.
final class TestEvent: PluginEvent {
    struct Broken: Error {}
    let name = "recordCreate"
    let record: Record?
    let request: (any PluginRequestSource)? = nil
    let transaction: RecordTransaction?
    let failure: (any Error)?
    var count = 0

    init(_ text: String, failure: (any Error)? = nil) throws {
        let record = Record(new: MemoryRecords.collection())
        record.values[0] = .text(text)
        self.record = record
        self.failure = failure
        transaction = RecordTransaction(
            connection: try Connection(path: ":memory:", access: .readWrite(create: true)),
            schema: Schema(collections: [], version: 1))
    }

    func next() throws {
        count += 1
        if let failure { throw failure }
    }
}

extension AllTests {
    @Suite("Tables")
    struct TableTests {
        private let fixture: Fixture
        private let library: String
        private let host: PluginHost
        private let printed = LogLines()

        init() throws {
            fixture = try Fixture()
            library =
                try fixture.plugin(
                    flags: ["HTTP", "HOOKS", "IDENTITY", "COMMANDS"],
                    manifest: [("capabilities", ["http", "identity", "commands"]), ("commands", ["greet"])])
                + "/plugin.so"
            host = fixture.host()
            host.services.records = MemoryRecords()
            host.services.print = { [printed] line, isError in printed.add("\(isError) \(line)") }
            host.start()
        }

        private func ask(_ path: String) throws -> TestRequest {
            let route = try #require(host.routes.first { $0.path == path })
            let request = TestRequest(path)
            #expect(route.handle(request) == nil)
            return request
        }

        @Test("a route answers with what it read, once")
        func routes() throws {
            let request = try ask("/ok")
            #expect(request.answers == ["200 text/plain hällo"])
            #expect(request.headers == ["X-Fixture: yes"])
            #expect(try ask("/twice").answers == ["200 text/plain one"])
            #expect(PluginExchange.table.count == 0)
        }

        @Test("a handler's failure becomes the answer")
        func failures() throws {
            #expect(try ask("/refused").answers == [#"{"data":{},"message":"Short and stout.","status":418}"#])
            #expect(
                try ask("/fields").answers == [
                    #"{"data":{"name":{"code":"validation_name","message":"Wrong name."}},"#
                        + #""message":"An error occurred while validating the submitted data.","status":400}"#
                ])
            #expect(try ask("/error").answers == [#"{"data":{"a":1},"message":"Gone.","status":404}"#])
            for path in ["/none", "/broken"] {
                let answers = try ask(path).answers
                #expect(answers.count == 1)
                #expect(answers.first?.contains("\"status\":500") == true)
            }
        }

        @Test("a pending request is answered once, from another thread")
        func pending() throws {
            let route = try #require(host.routes.first { $0.path == "/pending" })
            let request = TestRequest("/pending")
            let exchange = try #require(route.handle(request))
            for _ in 0..<500 where Compiler.call("fixture_late_done", in: library) == 0 { usleep(10_000) }
            #expect(request.answers == ["200 text/plain late"])
            #expect(Compiler.call("fixture_late_status", 0, in: library) == 0)
            #expect(Compiler.call("fixture_late_status", 1, in: library) == -5, "ROOST_ESTALE")
            let before = Compiler.call("fixture_cancelled", in: library)
            exchange.cancel()
            #expect(Compiler.call("fixture_cancelled", in: library) == before, "an answered request is not cancelled")
            #expect(PluginExchange.table.find(exchange.handle) == nil)
        }

        @Test("a cancelled request tells the plugin and is not answered")
        func cancelled() throws {
            let route = try #require(host.routes.first { $0.path == "/pending" })
            let request = TestRequest("/pending")
            let before = Compiler.call("fixture_cancelled", in: library)
            let exchange = try #require(route.handle(request))
            exchange.cancel()
            exchange.cancel()
            #expect(Compiler.call("fixture_cancelled", in: library) == before + 1)
            for _ in 0..<500 where Compiler.call("fixture_late_done", in: library) == 0 { usleep(10_000) }
            #expect(request.answers == [])
            #expect(Compiler.call("fixture_late_status", 0, in: library) == -5)
            #expect(PluginExchange.table.find(exchange.handle) == nil, "the plugin has noticed, so that it is over")
        }

        @Test("a hook lets happen, stops, refuses or mends")
        func hooks() throws {
            let hook = try #require(host.hooks.first)
            #expect(hook.event == .recordCreate)
            #expect(hook.collections == ["tests", "others"])
            func run(_ text: String, failure: (any Error)? = nil) throws -> Int {
                let event = try TestEvent(text, failure: failure)
                try hook.run(event)
                return event.count
            }
            #expect(try run("on") == 1)
            #expect(try run("again") == 1, "the rest of the chain runs once")
            #expect(try run("stop") == 0)
            #expect(throws: ServiceError(status: 409, message: "refused by the hook")) { try run("refuse") }
            #expect(try run("swallow", failure: TestEvent.Broken()) == 1)
            #expect(throws: TestEvent.Broken.self, "the chain's own error comes through as it is") {
                try run("on", failure: TestEvent.Broken())
            }
            let conflict = ServiceError(status: 409, message: "taken")
            #expect(throws: conflict) { try run("on", failure: conflict) }
        }

        @Test("tokens are told and verified by the provider")
        func identity() throws {
            let identity = try #require(host.identity)
            #expect(identity.claims(of: "bad") == nil)
            #expect(identity.claims(of: "good")?.recordID == "r1")
            let options: JSONObject = ["authToken": ["secret": "abc"]]
            let record = Record(new: MemoryRecords.collection(options: options))
            #expect(identity.verify("good", of: record) == 4_000_000_000)
            #expect(identity.verify("expired", of: record) == nil)
            #expect(identity.verify("good", of: Record(new: MemoryRecords.collection())) == nil)
        }

        @Test("a command gets its arguments and gives its exit code")
        func commands() throws {
            let command = try #require(host.commands.first)
            #expect(command.name == "greet")
            #expect(command.run(arguments: ["a b", "ä"]) == 0)
            #expect(printed.all == [#"false ["a b","ä"]"#])
            #expect(command.run(arguments: ["fail"]) == 3)
        }

        @Test("secrets are only in the collections of plugins with that grant")
        func secrets() {
            let collection = MemoryRecords.collection(options: [
                "authToken": ["secret": "abc", "duration": 5],
                "oauth2": ["providers": [["name": "x", "clientSecret": "s"]]],
            ])
            let hidden = CollectionDocument.json(collection, includingSecrets: false)
            #expect(hidden["authToken"] == ["duration": 5])
            #expect(hidden["oauth2"] == ["providers": [["name": "x"]]])
            #expect(CollectionDocument.json(collection, includingSecrets: true)["authToken"]?["secret"] == "abc")
        }
    }
}

extension AllTests {
    @Suite("Handles")
    struct HandleTests {
        final class Thing: Sendable {}

        @Test("an id is over when its object is removed, also when the slot is used again")
        func generations() {
            let table = HandleTable<Thing>()
            var ids: Set<UInt64> = []
            for _ in 0..<1000 {
                let thing = Thing()
                let id = table.insert(thing)
                #expect(table.find(id) === thing)
                #expect(ids.insert(id).inserted)
                #expect(table.remove(id) === thing)
                #expect(table.find(id) == nil)
                #expect(table.remove(id) == nil)
            }
            #expect(table.find(0) == nil)
            #expect(table.find(.max) == nil)
            #expect(table.count == 0)
        }

        @Test("many threads insert and remove at once")
        func threads() async {
            let table = HandleTable<Thing>()
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        for _ in 0..<2000 {
                            let things = (0..<4).map { _ in Thing() }
                            let ids = things.map { table.insert($0) }
                            for (id, thing) in zip(ids, things) {
                                if table.find(id) !== thing || table.remove(id) !== thing { Issue.record("lost") }
                            }
                        }
                    }
                }
            }
            #expect(table.count == 0)
        }
    }
}

extension AllTests {
    @Suite("Random text")
    struct RandomPatternTests {
        @Test(
            "the text matches its pattern",
            arguments: [
                "[a-z0-9]{15}", "abc", "a|b|cd", "(ab|c)+x?", "[^a-z]{3}", "\\d{2,4}-\\w+", "[[:alpha:]_-]{5}", ".{4}",
                "x*y{0}z{2,}", "(?:a(b(c)))", "[\\]\\-a]{3}", "\\x41\\x{42}", "(?P<name>[A-Z]{2})", "[a\\d]{9}",
                "a{,2}",
            ])
        func matches(pattern: String) throws {
            let generator = try RandomPattern(pattern)
            let expression = try Regex("^(?:\(pattern))$".replacing("(?P<", with: "(?<"))
                .matchingSemantics(.unicodeScalar)
            for _ in 0..<50 {
                let text = try generator.generate()
                // Swift's matcher reads {,2} otherwise than RE2, which takes it literally.
                if pattern == "a{,2}" {
                    #expect(text == "a{,2}")
                } else {
                    #expect(try expression.wholeMatch(in: text) != nil, "\(pattern): \(text)")
                }
            }
        }

        @Test(
            "what cannot be made into text is refused",
            arguments: [
                "^a", "a$", "(?=a)", "(?i)a", "(a", "a)", "[a", "*a", "a{5,2}", "a{2000}", "\\", "[z-a]", "\\b",
                "\\p{L}",
            ])
        func refused(pattern: String) {
            #expect(throws: PatternError.self) { _ = try RandomPattern(pattern).generate() }
        }

        @Test("a pattern cannot make endless text")
        func bounded() {
            #expect(throws: PatternError.self) { _ = try RandomPattern("((a{1000}){1000}){1000}").generate() }
        }

        @Test(
            "a fault is worded as PocketBase words it",
            arguments: [
                ("[", "error parsing regexp: missing closing ]: `[`"),
                ("(a", "error parsing regexp: missing closing ): `(a`"),
                ("*", "error parsing regexp: missing argument to repetition operator: `*`"),
                ("a**", "error parsing regexp: invalid nested repetition operator: `**`"),
                ("[z-a]", "error parsing regexp: invalid character class range: `z-a`"),
                ("\\", "error parsing regexp: trailing backslash at end of expression: ``"),
                ("(?=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"),
                ("\\y", "error parsing regexp: invalid escape sequence: `\\y`"),
            ])
        func faults(pattern: String, expected: String) {
            withBytes(pattern) { #expect(PatternFault.find($0) == expected) }
            withBytes("[a-z]+") { #expect(PatternFault.find($0) == nil) }
        }
    }
}
