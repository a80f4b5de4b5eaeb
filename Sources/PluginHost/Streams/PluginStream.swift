internal import NIOCore
internal import PluginABI
internal import Synchronization
package import WebServer

/// A stream in a plugin's hands: what a `roost_stream` names. It ends, and its handle with it, when the stream has ended.
///
/// `@unchecked Sendable`: `stream` and `handle` are set once, before the plugin or the stream know of this.
final class PluginStream: @unchecked Sendable {
    static let table = HandleTable<PluginStream>()
    private static let crowds = Crowds()

    let plugin: LoadedPlugin
    private let user: UInt
    private let message: roost_stream_message?
    private let closed: roost_stream_closed?
    private(set) var handle: UInt64 = 0
    private let state = Mutex<LiveStream?>(nil)

    init(plugin: LoadedPlugin, options: roost_stream_options_v1) {
        self.plugin = plugin
        user = UInt(bitPattern: options.user)
        message = options.message
        closed = options.closed
        handle = Self.table.insert(self)
    }

    var stream: LiveStream? { state.withLock { $0 } }

    /// Those streams of some handles that are still there.
    static func fanOut(to handles: UnsafeBufferPointer<roost_stream>) -> LiveFanOut {
        crowds.fanOut(to: handles) { id in table.find(id)?.stream }
    }

    /// It has not, and the plugin will not hear of it.
    func forget() { Self.table.remove(handle) }

    /// The host's options, with this behind their callbacks.
    func options(_ raw: roost_stream_options_v1) -> LiveOptions? {
        guard let prefix = raw.prefix.buffer, let farewell = raw.farewell.buffer else { return nil }
        var options = LiveOptions()
        options.idleTimeout = Int(raw.idle_timeout)
        options.maxAge = Int(raw.max_age)
        if raw.max_pending > 0 { options.maxPending = Int(clamping: raw.max_pending) }
        if raw.max_message > 0 { options.maxMessage = Int(min(raw.max_message, 1 << 30)) }
        options.prefix = Array(prefix)
        options.farewell = Array(farewell)
        options.onBegin = { [self] live in state.withLock { $0 = live } }
        if message != nil { options.onMessage = { [self] isText, data in received(isText, data) } }
        options.onClose = { [self] reason in ended(reason) }
        return options
    }

    private func received(_ isText: Bool, _ data: ByteBuffer) {
        ThreadRole.with(.loop) {
            data.withUnsafeReadableBytes { bytes in
                message?(
                    UnsafeMutableRawPointer(bitPattern: user), roost_stream(id: handle),
                    isText ? ROOST_MESSAGE_TEXT : ROOST_MESSAGE_BINARY,
                    roost_bytes(bytes.bindMemory(to: UInt8.self)))
            }
        }
    }

    private func ended(_ reason: LiveEnd) {
        guard Self.table.remove(handle) != nil else { return }
        Self.crowds.clear()
        ThreadRole.with(.loop) {
            closed?(UnsafeMutableRawPointer(bitPattern: user), roost_stream(id: handle), reason.rawValue)
        }
        state.withLock { $0 = nil }
    }
}
