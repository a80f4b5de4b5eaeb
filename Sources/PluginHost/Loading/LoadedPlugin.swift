internal import Glibc
internal import JSON
internal import PluginABI
internal import Synchronization

/// A plugin whose code is in the process. It stays until the process ends, as its library does: `dlclose` of a Swift
/// image crashes at the next cast.
///
/// `@unchecked Sendable`: `instance` is written once by the thread that loads plugins before anything else knows it; the
/// rest is constant, atomic or behind a lock.
final class LoadedPlugin: @unchecked Sendable {
    enum Phase: UInt8 { case creating, initialising, waiting, starting, running, failed, stopped }

    let id: String
    let candidate: PluginCandidate
    let services: HostServices
    let descriptor: UnsafePointer<roost_plugin_descriptor>
    var instance: UnsafeMutableRawPointer?
    /// What the plugin is given; never freed.
    let host: UnsafeMutablePointer<roost_host>
    let registrations = Mutex(Registrations())

    private let phaseValue = Atomic<UInt8>(0)
    private let allocatedBytes = Atomic<Int>(0)
    private let allocatedBlocks = Atomic<Int>(0)
    private let complaints = Mutex<Set<String>>([])
    private let version: StableBytes
    private let settings: StableBytes

    init(candidate: PluginCandidate, services: HostServices, descriptor: UnsafePointer<roost_plugin_descriptor>) {
        id = candidate.id
        self.candidate = candidate
        self.services = services
        self.descriptor = descriptor
        version = StableBytes(services.configuration.hostVersion)
        settings = StableBytes(JSON.object(candidate.state.settings).serialized())
        host = .allocate(capacity: 1)
        host.initialize(
            to: HostTable.make(
                context: Unmanaged.passUnretained(self).toOpaque(), version: version.bytes, settings: settings.bytes))
        // The library may call with this context until the process ends.
        _ = Unmanaged.passRetained(self)
    }

    /// The plugin behind a host pointer.
    @inline(__always)
    static func from(_ host: UnsafePointer<roost_host>?) -> LoadedPlugin? {
        guard let context = host?.pointee.context else { return nil }
        return Unmanaged<LoadedPlugin>.fromOpaque(context).takeUnretainedValue()
    }

    var phase: Phase {
        get { Phase(rawValue: phaseValue.load(ordering: .acquiring)) ?? .failed }
        set { phaseValue.store(newValue.rawValue, ordering: .releasing) }
    }

    /// Whether its field types may be called: they are from `init` on, before the data folder is open.
    @inline(__always)
    var isUsable: Bool {
        let phase = phaseValue.load(ordering: .relaxed)
        return phase >= Phase.initialising.rawValue && phase <= Phase.running.rawValue
    }

    /// Its part in what is committed; nil when it does not listen.
    var changeListener: ChangeListener? {
        services.accepted.withLock { $0.changeListener?.plugin === self ? $0.changeListener : nil }
    }

    func isGranted(_ capability: Capability) -> Bool { candidate.granted.contains(capability) }

    /// Writes a line to the server's log, with slog's level numbers.
    func log(_ level: Int, _ message: String, _ data: JSONObject = JSONObject()) {
        services.configuration.log(level, id, message, data)
    }

    /// The same, but each text once only: what goes wrong with every value would fill the log.
    func logOnce(_ message: String) {
        let isNew = complaints.withLock { $0.count < 1000 && $0.insert(message).inserted }
        if isNew { log(8, message + " (logged once)") }
    }

    // Memory is counted in a header before each block; 16 bytes keep the alignment.
    private static let headerSize = 16

    func allocate(_ size: UInt64) -> UnsafeMutableRawPointer? {
        guard size <= 1 << 40, let block = malloc(Int(size) + Self.headerSize) else { return nil }
        block.storeBytes(of: size, as: UInt64.self)
        allocatedBytes.add(Int(size), ordering: .relaxed)
        allocatedBlocks.add(1, ordering: .relaxed)
        return block.advanced(by: Self.headerSize)
    }

    func release(_ memory: UnsafeMutableRawPointer) {
        let block = memory.advanced(by: -Self.headerSize)
        allocatedBytes.subtract(Int(block.load(as: UInt64.self)), ordering: .relaxed)
        allocatedBlocks.subtract(1, ordering: .relaxed)
        free(block)
    }

    /// Memory that the plugin holds of the host's.
    var memory: (bytes: Int, blocks: Int) {
        (allocatedBytes.load(ordering: .relaxed), allocatedBlocks.load(ordering: .relaxed))
    }
}

/// What a plugin has registered. Nothing of it counts before its `init` went well.
struct Registrations {
    var fieldTypes: [CFieldType] = []
    var routes: [PluginRoute] = []
    var middlewares: [PluginMiddleware] = []
    var hooks: [PluginHook] = []
    var commands: [PluginCommand] = []
    /// Of `init`; later ones go to the scheduler.
    var jobs: [PluginJob] = []
    var alertListeners: [PluginAlertListener] = []
    var identity: IdentityProvider?
    var changeListener: ChangeListener?
    var authMethods: [AuthMethod] = []
    var servesFiles = false
    var tables: [String: TablePointer] = [:]
    /// What the plugin did wrong while registering, for the operator.
    var complaint: String?
}

/// A table of functions, which lives for ever.
struct TablePointer: @unchecked Sendable {
    // Sendable: tables are constant by the ABI.
    let raw: UnsafeRawPointer
}
