internal import Engine
internal import Glibc
internal import JSON
internal import PluginABI
internal import Store
internal import Synchronization

/// Drives one plugin through all that it registered.
final class CheckChild {
    static let lastStep = "stop"

    private let folder: String
    private let send: (JSON) -> Void
    private let logged = Logged()
    private let isThorough: Bool
    private var hasError = false

    /// What the host wrote to its log, from any thread.
    private final class Logged: Sendable {
        let messages = Mutex<[String]>([])

        func take() -> [String] {
            messages.withLock { list in
                defer { list = [] }
                return list
            }
        }
    }

    /// - Parameter isThorough: whether odd settings and large values are tried too.
    init(folder: String, isThorough: Bool = true, report: @escaping (JSON) -> Void) {
        self.folder = folder
        self.isThorough = isThorough
        send = report
    }

    /// - Returns: whether no error was found.
    func run() -> Bool {
        do {
            try check()
        } catch let problem as PluginProblem {
            find(.error, problem.message)
        } catch {
            find(.error, "\(error)")
        }
        takeLogged()
        return !hasError
    }

    private func step(_ name: String) {
        takeLogged()
        send(["step": .string(name)])
    }

    private func find(_ severity: CheckFinding.Severity, _ message: String) {
        if severity == .error { hasError = true }
        send(["severity": .string(severity.rawValue), "message": .string(message)])
    }

    /// What the host complained about in its log meanwhile.
    private func takeLogged() {
        for message in logged.take() { find(.error, message) }
    }

    private func check() throws {
        var candidate = PluginCatalog.read(folder: folder, origin: .bundled)
        if let problem = candidate.problem { throw problem }
        guard let manifest = candidate.manifest else { return }

        step("files")
        candidate.libraryHash = try Files.sha256(of: candidate.libraryPath)
        if let hash = manifest.sha256, hash != candidate.libraryHash {
            find(.error, "The SHA-256 in plugin.json is not that of \(manifest.library).")
        }
        do {
            try FileTrust.check(candidate.libraryPath)
        } catch {
            find(.warning, error.message)
        }
        guard manifest.abiMajor == HostABI.major else {
            throw PluginProblem(
                .abi, "It was built for version \(manifest.abiMajor) of the plugin ABI; this is \(HostABI.major).")
        }

        let data = "/tmp/roost-check-\(getpid())"
        try Files.makeFolder(data)
        defer { Files.remove(data) }
        var configuration = PluginHostConfiguration(
            dataDirectory: data, pluginsDirectory: data + "/none", bundledDirectory: nil, hostVersion: "0.0.0")
        // The plugin's own lines are its own business; the host's complaints are findings.
        configuration.log = { [logged] level, _, message, data in
            if level >= 8, data.isEmpty { logged.messages.withLock { $0.append(message) } }
        }
        let services = HostServices(configuration: configuration)
        services.print = { _, _ in }
        let loader = PluginLoader(
            services: services, sentinel: StartSentinel(dataDirectory: data, retries: true))
        step("load, create, init")
        let plugin = try loader.load(candidate)
        let afterInit = plugin.memory.blocks

        let surroundings = try Surroundings(plugin)
        services.records = CheckRecords(known: surroundings.collection)
        services.crons = CronScheduler { _, _, _ in }
        step("start")
        try loader.start(plugin)

        let registrations = plugin.registrations.withLock { $0 }
        for type in registrations.fieldTypes { try check(type, plugin, surroundings) }
        for route in registrations.routes { check(route) }
        for middleware in registrations.middlewares { check(middleware) }
        for hook in registrations.hooks { check(hook, surroundings) }
        for job in registrations.jobs {
            step("job \(job.id)")
            try? job.job.run()
            takeRefusals()
        }
        for listener in registrations.alertListeners {
            step("alert")
            try? listener.tell(Alert(kind: "check", subject: "A check", details: "Nothing has happened."))
            takeRefusals()
        }
        if let identity = registrations.identity { check(identity, surroundings) }
        if !manifest.capabilities.isEmpty, registrations.routes.isEmpty, registrations.middlewares.isEmpty,
            manifest.capabilities.contains(.http)
        {
            find(.warning, "It asks for the capability http but adds no route.")
        }

        step("memory")
        // Caches may grow while they fill, but not with every round.
        let before = plugin.memory.blocks
        for type in registrations.fieldTypes { try drive(type, plugin, surroundings, quietly: true) }
        let after = plugin.memory.blocks
        if after > before {
            find(
                .error,
                "It keeps \(after - before) more blocks of the host's memory after opening its fields once more.")
        }
        if before > afterInit + 1000 {
            find(.warning, "It holds \(before - afterInit) blocks of the host's memory more than after its init.")
        }
        if RecordHandles.table.count > 0 { find(.error, "Record handles are left over.") }

        step(Self.lastStep)
        plugin.phase = .stopped
        plugin.descriptor.pointee.stop?(plugin.instance)
    }

    // Field types

    /// A collection with no fields, and a connection to nothing.
    struct Surroundings {
        let collection: Collection
        let schema: Schema
        let connection: Connection

        init(_ plugin: LoadedPlugin) throws {
            collection = Self.collection([])
            schema = Schema(collections: [collection], version: 1)
            connection = try Connection(path: ":memory:", access: .readWrite(create: true))
        }

        static func collection(_ fields: [Field]) -> Collection {
            Collection(
                id: "pbc_0123456789", name: "checks", type: .base, system: false, fields: fields, indexes: [],
                rules: CollectionRules(), options: JSONObject(), created: "2024-01-01 00:00:00.000Z",
                updated: "2024-01-01 00:00:00.000Z")
        }
    }

    private func check(_ type: CFieldType, _ plugin: LoadedPlugin, _ surroundings: Surroundings) throws {
        try drive(type, plugin, surroundings, quietly: false)
        step("field type \(type.id): many threads")
        guard let instance = try? type.open(Self.settings(of: type), name: "field", isSystem: false) else { return }
        let values = CheckValues.small
        let expected = values.map { instance.normalise($0) }
        let differences = Atomic<Int>(0)
        let running = Atomic<Int>(4)
        for _ in 0..<4 {
            let isStarted = WorkerThread.run {
                for _ in 0..<50 {
                    for (value, expected) in zip(values, expected) where instance.normalise(value) != expected {
                        differences.add(1, ordering: .relaxed)
                    }
                }
                running.subtract(1, ordering: .releasing)
            }
            if !isStarted { running.subtract(1, ordering: .releasing) }
        }
        while running.load(ordering: .acquiring) > 0 { usleep(1000) }
        if differences.load(ordering: .relaxed) > 0 {
            find(.error, "The field type \(type.id) normalises otherwise when several threads do so.")
        }
    }

    /// Opens the type with plain and odd settings and puts all values through each.
    private func drive(
        _ type: CFieldType, _ plugin: LoadedPlugin, _ surroundings: Surroundings, quietly: Bool
    ) throws {
        let plain = Self.settings(of: type)
        for (label, settings) in [("plain settings", plain)]
            + (isThorough && !quietly ? Self.oddSettings(of: type) : [])
        {
            if !quietly { step("field type \(type.id): \(label)") }
            let field = Field(
                id: "text0000000001", name: "field", typeID: type.id, settings: settings,
                instance: MissingField(typeID: type.id))
            let collection = Surroundings.collection([field])
            let context = FieldSettingsContext(
                collection: collection, original: nil, schema: surroundings.schema, fieldID: field.id)
            let failures = type.validate(field, in: context)
            guard let instance = try? type.open(settings, name: "field", isSystem: false) else {
                // A type may need a setting (the collection of a relation); what it accepts, it must open.
                if failures.isEmpty, !quietly {
                    find(.error, "The field type \(type.id) accepts settings (\(label)) and then does not open them.")
                }
                continue
            }
            drive(
                instance, type, settings, surroundings, isWhole: settings == plain && !quietly && isThorough,
                quietly: quietly)
            // What a type refused is never opened by the server; here it only has to come through.
            if !failures.isEmpty { _ = logged.take() }
        }
    }

    private func drive(
        _ instance: any FieldInstance, _ type: CFieldType, _ settings: JSONObject, _ surroundings: Surroundings,
        isWhole: Bool, quietly: Bool
    ) {
        let field = Field(
            id: "text0000000001", name: "field", typeID: type.id, settings: settings, instance: instance)
        let collection = Surroundings.collection([field])
        let schema = Schema(collections: [collection], version: 1)
        // Large values once; a type has dozens of odd settings.
        let values = isWhole ? CheckValues.all : CheckValues.small
        // Enough records: a password takes its time on purpose.
        var records = 5
        for value in values {
            let start = ContinuousClock.now
            let normal = instance.normalise(value)
            let spent = ContinuousClock.now - start
            // A value may come with any request, and is normalised where other requests wait.
            if !quietly, spent > .milliseconds(200) {
                find(
                    .warning,
                    "The field type \(type.id) took \(spent / .milliseconds(1)) ms to normalise a value of "
                        + "\(CheckValues.size(of: value)) bytes.")
            }
            if !quietly, instance.normalise(normal) != normal {
                find(.warning, "The field type \(type.id) normalises its own value again: \(Self.short(normal)).")
            }
            for modifier in [FieldModifier.append, .prepend, .remove, .autogenerate] {
                _ = instance.modify(modifier, current: normal, operand: value)
            }
            if let query = instance.query { drive(query, value, normal, type, quietly: quietly) }
            let record = Record(new: collection)
            record.values[0] = normal
            let context = FieldContext(
                record: record, field: field, index: 0, schema: schema, connection: surroundings.connection)
            // The engine never gives this one, but a plugin must live with it.
            _ = instance.validate(value, in: context)
            guard instance.validate(normal, in: context) == nil else { continue }
            records -= 1
            guard records >= 0 else { continue }
            for bit in 0..<11 where instance.shape.moments.rawValue & (1 << bit) != 0 {
                try? instance.intercept(RecordMoments(rawValue: 1 << bit), in: context)
            }
        }
    }

    /// What a query may ask about a value: as a filter has it, and as it is stored.
    private func drive(
        _ query: any FieldQuery, _ value: Value, _ normal: Value, _ type: CFieldType, quietly: Bool
    ) {
        let start = ContinuousClock.now
        // The engine gives texts and numbers; a plugin must live with anything.
        let operand = try? query.cast(value)
        let keys = [value, normal].map { query.key(of: $0) }
        let counts = [value, normal].map { query.count(of: $0) }
        let spent = ContinuousClock.now - start
        if quietly { return }
        if spent > .milliseconds(50) {
            find(
                .warning,
                "The field type \(type.id) took \(spent / .milliseconds(1)) ms to compare a value of "
                    + "\(CheckValues.size(of: value)) bytes, and is asked for every row.")
        }
        // SQLite asks once for what is the same for all rows, and counts on it.
        if (try? query.cast(value)) != operand || [value, normal].map({ query.key(of: $0) }) != keys
            || [value, normal].map({ query.count(of: $0) }) != counts
        {
            find(.error, "The field type \(type.id) compares a value otherwise the second time: \(Self.short(value)).")
        }
        if let operand, (try? query.cast(operand)) != operand {
            find(.warning, "The field type \(type.id) casts its own form again: \(Self.short(operand)).")
        }
        if query.casts, normal != .null, let cast = try? query.cast(normal), cast != normal {
            find(
                .warning,
                "The field type \(type.id) casts \(Self.short(normal)), which it stores, to \(Self.short(cast)): a filter "
                    + "with what a record shows does not find it.")
        }
    }

    private static func settings(of type: CFieldType) -> JSONObject {
        JSONObject(type.settings.map { ($0.name, $0.initial) })
    }

    /// For each setting, values at the edge of its type.
    private static func oddSettings(of type: CFieldType) -> [(String, JSONObject)] {
        var result: [(String, JSONObject)] = []
        for setting in type.settings {
            let values: [JSON]
            switch setting.kind {
            case .string: values = ["(", "pbc_0123456789", .string(String(repeating: "[a-z]", count: 200))]
            case .integer: values = [-1, 1, 2_147_483_648, 9_007_199_254_740_991]
            case .number, .optionalNumber: values = [-1e308, 0.5, 1e308]
            case .bool: values = [true]
            case .strings: values = [[""], ["a", "a"], .array((0..<1000).map { .string("v\($0)") })]
            case .json: values = [[], .object(JSONObject()), "text", 1]
            }
            for (index, value) in values.enumerated() {
                var settings = settings(of: type)
                settings[setting.name] = value
                result.append(("\(setting.name), value \(index + 1)", settings))
            }
        }
        return result
    }

    private static func short(_ value: Value) -> String {
        let text = value.asJSON.serialized()
        return text.count > 60 ? text.prefix(60) + "…" : text
    }

    // The other registrations

    private func check(_ route: PluginRoute) {
        step("route \(route.method) \(route.path)")
        let late = PluginExchange.lateAnswers.load(ordering: .acquiring)
        for body in CheckValues.bodies {
            let request = CheckRequest(method: route.method, path: route.path, body: body)
            if let pending = route.handle(request) {
                waitForAnswer(of: request)
                if request.answerCount == 0 {
                    find(.warning, "\(route.method) \(route.path) was still pending after 5 seconds.")
                    pending.cancel()
                }
            }
        }
        usleep(50_000)
        if PluginExchange.lateAnswers.load(ordering: .acquiring) > late {
            find(.error, "\(route.method) \(route.path) answers a request more than once.")
        }
        // And once with a client that goes at once.
        let request = CheckRequest(method: route.method, path: route.path, body: [])
        route.handle(request)?.cancel()
        usleep(50_000)
    }

    private func waitForAnswer(of request: CheckRequest) {
        for _ in 0..<500 where request.answerCount == 0 { usleep(10_000) }
    }

    private func check(_ middleware: PluginMiddleware) {
        step("middleware \(middleware.pathPrefix)")
        for body in CheckValues.bodies {
            let request = CheckRequest(
                method: middleware.method.isEmpty ? "POST" : middleware.method, path: middleware.pathPrefix, body: body)
            if case .pending(let exchange) = middleware.handle(request) {
                waitForAnswer(of: request)
                if request.answerCount == 0 {
                    find(.warning, "The middleware \(middleware.pathPrefix) was still pending after 5 seconds.")
                    exchange.cancel()
                }
            }
        }
    }

    private func check(_ hook: PluginHook, _ surroundings: Surroundings) {
        step("hook \(hook.event.rawValue)")
        let transaction = RecordTransaction(connection: surroundings.connection, schema: surroundings.schema)
        let failures: [(any Error)?] = [nil, ServiceError.badRequest("refused"), PluginProblem(.failed, "broken")]
        for failure in failures {
            let event = CheckEvent(
                name: hook.event.rawValue, record: Record(new: surroundings.collection), transaction: transaction,
                failure: failure)
            try? hook.run(event)
            takeRefusals()
        }
    }

    /// A hook may refuse; that is no finding.
    private func takeRefusals() {
        logged.messages.withLock { $0.removeAll { $0.hasPrefix("A call to the server failed") } }
    }

    private func check(_ identity: IdentityProvider, _ surroundings: Surroundings) {
        step("identity")
        let tokens = [
            "", "x", "a.b.c", "..", "eyJhbGciOiJub25lIn0.e30.", String(repeating: "a", count: 1 << 16), "\0",
            "eyJhbGciOiJub25lIn0.eyJpZCI6IngiLCJjb2xsZWN0aW9uSWQiOiJwYmNfMDEyMzQ1Njc4OSIsInR5cGUiOiJhdXRoIn0.",
        ]
        for token in tokens {
            _ = identity.claims(of: token)
            if identity.verify(token, of: Record(new: surroundings.collection)) != nil {
                find(.error, "It accepts a token that nobody made: \(token.prefix(40)).")
            }
        }
    }
}
