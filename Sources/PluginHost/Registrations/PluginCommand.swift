internal import JSON
internal import PluginABI

/// A sub-command of the program that a plugin brought.
package struct PluginCommand: Sendable {
    let plugin: LoadedPlugin
    package let name: String
    /// One line for `roost --help`.
    package let summary: String
    /// The text of `roost NAME --help`.
    package let usage: String
    let user: PluginUser
    let run: roost_command_run

    package var pluginID: String { plugin.id }

    /// Runs the command on the calling thread, which may wait.
    ///
    /// - Returns: the process's exit code, 0…125.
    package func run(arguments: [String]) -> Int32 {
        ThreadRole.with(.worker) {
            withCall(plugin) { call in
                let document = JSON.array(arguments.map { .string($0) }).serialized()
                let code = withBytes(document) { run(user.pointer, call.pointer, $0) }
                let words = code == 0 ? "" : call.commandWords
                if !words.isEmpty { plugin.services.print("Error: " + words, true) }
                return (0...125).contains(code) ? code : 1
            }
        }
    }
}
