import PluginABI
import Synchronization

/// What the one exported function of a Swift plugin returns.
public enum PluginEntry {
    /// The state of this image: each plugin has its own copy of PluginKit and so of this.
    private static let state = Mutex<State>(State())

    private struct State: Sendable {
        var type: (any Plugin.Type)?
        /// The address of the descriptor; an integer because pointers are not Sendable.
        var descriptor: UInt = 0
    }

    /// The descriptor of a plugin, made on the first call and never released.
    ///
    /// - Returns: a pointer to a `roost_plugin_descriptor`, untyped so that a plugin need not import the C headers.
    public static func descriptor(for type: any Plugin.Type) -> UnsafeRawPointer {
        let address = state.withLock { state in
            if state.descriptor == 0 {
                state.type = type
                state.descriptor = UInt(bitPattern: make(type.info))
            }
            return state.descriptor
        }
        guard let pointer = UnsafeRawPointer(bitPattern: address) else {
            preconditionFailure("allocate never returns the null pointer")
        }
        return pointer
    }

    private static func make(_ info: PluginInfo) -> UnsafeMutablePointer<roost_plugin_descriptor> {
        let descriptor = UnsafeMutablePointer<roost_plugin_descriptor>.allocate(capacity: 1)
        var value = roost_plugin_descriptor()
        value.magic = (0x52, 0x4F, 0x4F, 0x53, 0x54, 0x00, 0x50, 0x31)  // "ROOST\0P1"
        value.size = UInt32(MemoryLayout<roost_plugin_descriptor>.size)
        value.abi_major = ROOST_ABI_MAJOR
        value.abi_minor = ROOST_ABI_MINOR
        value.id = .keepingForever(info.id)
        value.version = .keepingForever(info.version)
        value.name = .keepingForever(info.name)
        value.vendor = .keepingForever(info.vendor)
        value.license = .keepingForever(info.license)
        value.url = .keepingForever(info.url)
        value.create = { out in
            guard let out, let type = PluginEntry.state.withLock({ $0.type }) else { return ROOST_EINVALID }
            out.pointee = Unmanaged.passRetained(PluginInstance(type.init())).toOpaque()
            return ROOST_OK
        }
        value.`init` = { instance, host, call in
            guard let instance, let host, let call else { return ROOST_EINVALID }
            let plugin = Unmanaged<PluginInstance>.fromOpaque(instance).takeUnretainedValue()
            return plugin.initialise(host, call)
        }
        value.start = { instance, call in
            guard let instance, let call else { return ROOST_EINVALID }
            return Unmanaged<PluginInstance>.fromOpaque(instance).takeUnretainedValue().start(call)
        }
        value.stop = { instance in
            guard let instance else { return }
            Unmanaged<PluginInstance>.fromOpaque(instance).takeUnretainedValue().plugin.stop()
        }
        descriptor.initialize(to: value)
        return descriptor
    }
}

/// A plugin and the host it was given. Never released: the host never unloads.
private final class PluginInstance: Sendable {
    let plugin: any Plugin
    private let host = Mutex<Host?>(nil)

    init(_ plugin: any Plugin) { self.plugin = plugin }

    func initialise(_ raw: UnsafePointer<roost_host>, _ call: OpaquePointer) -> roost_status {
        let host = Host(raw)
        self.host.withLock { $0 = host }
        let call = Call(call, host)
        return call.run {
            try host.registering(call) { try plugin.register(host) }
        }
    }

    func start(_ call: OpaquePointer) -> roost_status {
        guard let host = host.withLock({ $0 }) else { return ROOST_EINVALID }
        let call = Call(call, host)
        return call.run { try plugin.start(host, Records(call)) }
    }
}
