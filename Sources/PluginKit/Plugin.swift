/// A plugin: what it says of itself and what it brings.
///
/// A plugin is one class of this kind and one exported function:
///
///     final class Greeter: Plugin {
///         static let info = PluginInfo(id: "org.example.greeter", version: "1.0.0", name: "Greeter")
///
///         func register(_ host: Host) throws {
///             try host.route("GET", "/api/greet/{name}") { request in
///                 .json(["message": .string("Hello, \(request.parameter("name") ?? "world")!")])
///             }
///         }
///     }
///
///     @c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: Greeter.self) }
///
/// Beside the library lies `plugin.json`, which repeats id and version (docs/plugins.md).
public protocol Plugin: AnyObject, Sendable {
    /// What the plugin says of itself; equal to its manifest.
    static var info: PluginInfo { get }

    /// Makes the plugin. The host cannot be called yet.
    init()

    /// Registers what the plugin brings. Called once on the thread that loads plugins. What is thrown leaves the plugin
    /// out and is shown to the operator.
    func register(_ host: Host) throws

    /// All plugins are in and the data folder is open. Called once.
    func start(_ host: Host, _ records: Records) throws

    /// The process ends: no call into the plugin is running or will come.
    func stop()
}

extension Plugin {
    public func start(_ host: Host, _ records: Records) throws {}
    public func stop() {}
}

/// What a plugin says of itself.
public struct PluginInfo: Sendable {
    public var id: String
    public var version: String
    public var name: String
    public var vendor: String
    public var license: String
    public var url: String

    /// - Parameters:
    ///   - id: a reverse domain, e.g. `org.example.colour`.
    ///   - version: a semantic version.
    public init(
        id: String, version: String, name: String, vendor: String = "", license: String = "", url: String = ""
    ) {
        self.id = id
        self.version = version
        self.name = name
        self.vendor = vendor
        self.license = license
        self.url = url
    }
}
