internal import Glibc
internal import Synchronization

/// What one thread keeps for calls into plugins: its role, and the calls that it is in, innermost last. Used by its own
/// thread only.
final class CallThread {
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key) { pointer in
            // The thread ends; no call of it is running.
            if let pointer { Unmanaged<CallThread>.fromOpaque(pointer).release() }
        }
        return key
    }()
    private static let lastNumber = Atomic<UInt64>(0)

    /// That of the calling thread.
    static var current: CallThread {
        if let pointer = pthread_getspecific(key) {
            return Unmanaged<CallThread>.fromOpaque(pointer).takeUnretainedValue()
        }
        let thread = CallThread()
        pthread_setspecific(key, Unmanaged.passRetained(thread).toOpaque())
        return thread
    }

    @exclusivity(unchecked) var role = ThreadRole.unknown

    /// Frame handles: the top bit, 23 bits of the thread, 40 bits that count.
    private let prefix: UInt64
    @exclusivity(unchecked) private var lastFrame: UInt64 = 0
    /// Calls that are kept for the next time; the first `depth` of them are running.
    @exclusivity(unchecked) private var calls: [PluginCall] = []
    @exclusivity(unchecked) private var depth = 0

    private init() {
        let number = Self.lastNumber.add(1, ordering: .relaxed).newValue
        prefix = 1 << 63 | (number & 0x7F_FFFF) << 40
    }

    /// Begins a call into a plugin on this thread; it must be ended with `leave`.
    @inline(__always)
    func enter(_ plugin: LoadedPlugin) -> PluginCall {
        if depth == calls.count { calls.append(PluginCall()) }
        let call = calls[depth]
        depth += 1
        lastFrame &+= 1
        call.begin(plugin, frame: prefix | lastFrame & 0xFF_FFFF_FFFF)
        return call
    }

    @inline(__always)
    func leave(_ call: PluginCall) {
        depth -= 1
        call.end()
    }

    /// Whether a handle names a frame (of any thread).
    static func isFrame(_ handle: UInt64) -> Bool { handle >> 63 == 1 }

    /// The running call of this thread that a frame handle names; nil when it is over or another thread's.
    func frame(_ handle: UInt64) -> PluginCall? {
        var index = depth
        while index > 0 {
            index -= 1
            if calls[index].frame == handle { return calls[index] }
        }
        return nil
    }

    /// The innermost transaction that can be written in.
    var writing: RecordTransaction? {
        var index = depth
        while index > 0 {
            index -= 1
            if let transaction = calls[index].transaction, transaction.writing != nil { return transaction }
        }
        return nil
    }
}

/// Calls into a plugin with a call object of this thread.
@inline(__always)
func withCall<R>(_ plugin: LoadedPlugin, _ body: (PluginCall) throws -> R) rethrows -> R {
    let thread = CallThread.current
    let call = thread.enter(plugin)
    defer { thread.leave(call) }
    return try body(call)
}
