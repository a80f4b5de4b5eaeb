internal import Glibc
package import JSON

/// Where plugins are and how they are to be loaded.
package struct PluginHostConfiguration: Sendable {
    /// `pb_data`; the start sentinel lies in it.
    package var dataDirectory: String
    /// Where the operator's plugins are; `pb_plugins` beside the data folder unless said otherwise.
    package var pluginsDirectory: String
    /// Where the plugins of the program are; `plugins` beside it unless said otherwise.
    package var bundledDirectory: String?
    /// The semantic version that plugins are told.
    package var hostVersion: String
    /// Leaves out all installed plugins.
    package var safeMode = false
    /// Loads plugins again that crashed an earlier start.
    package var retryPlugins = false
    /// Takes a line for the server's log: level (slog's numbers), plugin id, message, data. Called from any thread.
    package var log: @Sendable (_ level: Int, _ plugin: String, _ message: String, _ data: JSONObject) -> Void
    /// The lowest level that is kept. Called from any thread.
    package var logLevel: @Sendable () -> Int = { 0 }

    package init(
        dataDirectory: String, pluginsDirectory: String? = nil,
        bundledDirectory: String? = PluginHostConfiguration.besideExecutable(), hostVersion: String = "0.0.0",
        log: @escaping @Sendable (Int, String, String, JSONObject) -> Void = PluginHostConfiguration.logToStandardError
    ) {
        self.dataDirectory = dataDirectory
        let parent = Files.folder(of: dataDirectory)
        self.pluginsDirectory = pluginsDirectory ?? parent + "/pb_plugins"
        self.bundledDirectory = bundledDirectory
        self.hostVersion = hostVersion
        self.log = log
    }

    /// The folder `plugins` beside the running program.
    package static func besideExecutable() -> String? {
        guard let path = Files.real("/proc/self/exe") else { return nil }
        let folder = Files.folder(of: path) + "/plugins"
        return Files.isFolder(folder) ? folder : nil
    }

    package static let logToStandardError: @Sendable (Int, String, String, JSONObject) -> Void = {
        level, plugin, message, data in
        guard level >= 4 else { return }
        let details = data.isEmpty ? "" : " " + JSON.object(data).serialized()
        let line = "\(plugin): \(message)\(details)\n"
        _ = line.utf8CString.withUnsafeBufferPointer { write(2, $0.baseAddress, $0.count - 1) }
    }
}
